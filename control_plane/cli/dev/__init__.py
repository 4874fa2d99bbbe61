"""`trimtab dev`: everything on one machine, from one command."""
