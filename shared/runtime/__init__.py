"""How a process of ours lives: start, stop, retry, serve HTTP, log, measure."""
