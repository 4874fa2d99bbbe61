"""What the agent knows: one immutable snapshot at a time, and its last known good on disk."""
