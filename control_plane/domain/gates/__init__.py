"""Gates: what must be shown before a rollout takes its next step, how it is measured, and what measurements add up to."""
