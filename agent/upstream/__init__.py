"""The control plane as the agent sees it: snapshots and events over HTTP, messages over the broker."""
