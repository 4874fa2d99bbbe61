"""What callers may do: permissions, how far they reach, roles, and the one decision."""
