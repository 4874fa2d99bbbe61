"""The agent: a sidecar for one app/environment that follows the control plane and serves its snapshot locally."""
