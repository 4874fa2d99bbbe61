"""From a checked call to a service and back, by noun. No handler has a `try`: errors become problems in one place."""
