"""Every knob of the agent, read once at the start from environment variables and an optional YAML file, then frozen."""
