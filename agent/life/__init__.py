"""How the agent lives with whoever runs it: the service manager hears of it, and changed settings are taken up."""
