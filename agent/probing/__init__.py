"""Ask the application next to the agent how it is."""
