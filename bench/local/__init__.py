"""The agent's local API beside what people would read configuration from otherwise: one run, by turns, by CPU per request."""
