"""Rules that only the control plane needs, pure."""
