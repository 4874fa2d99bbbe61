"""A developer's own values over those of the control plane, out of a file that is watched."""
