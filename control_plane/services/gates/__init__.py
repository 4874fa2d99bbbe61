"""Judges: each measures gates of one kind, by what the ports tell it."""
