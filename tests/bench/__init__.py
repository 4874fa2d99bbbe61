"""What rollouts come to at a size that no test reaches: simulated, and written down beside the script."""
