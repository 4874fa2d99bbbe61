"""How often file sets are looked after when nothing changes."""

RETRY_EVERY = 30.0
"""Seconds after which a set that could not be written is tried again when nothing changes meanwhile."""
LOOK_EVERY = 10.0
"""Seconds between two looks at what was published: somebody else may have changed it."""
