"""People: their accounts, how they log in, and their sessions."""
