"""Services of others that a rollout may ask: Prometheus, webhooks. What they answer is not trusted."""
