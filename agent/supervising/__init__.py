"""To the application as its parent: configs as its environment, restarts and signals when they change."""
