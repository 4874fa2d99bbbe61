"""Who keeps secrets and keys for others, asked over HTTP in our own name: Vault and AWS."""
