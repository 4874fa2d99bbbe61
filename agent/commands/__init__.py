"""What `trimtab-agent` can be told to do: the command line in front of `agent.main`."""
