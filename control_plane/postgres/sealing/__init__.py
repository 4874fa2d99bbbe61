"""Sensitive values lie encrypted: sealed on their way into the database, opened on their way out, here and nowhere else."""
