"""To the application over localhost HTTP: reads, watch, probes, status. Bytes that already exist, one lookup a read."""
