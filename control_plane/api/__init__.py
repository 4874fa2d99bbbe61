"""The operators' and agents' way in: HTTP to services and back. `routes.py` shows the whole API on one screen."""
