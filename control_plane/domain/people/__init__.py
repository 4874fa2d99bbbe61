"""People: accounts, passwords, how often one may guess, and sessions."""
