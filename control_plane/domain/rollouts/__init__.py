"""Rollouts: what they are asked for as, the plan that comes of it, and how they go from phase to phase. Pure."""
