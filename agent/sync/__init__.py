"""Keeping the agent's snapshot equal to what the control plane says: hydrate, follow, notice gaps, resync, report."""
