"""What people do with rollouts, and what the leading replica does with them by itself."""
