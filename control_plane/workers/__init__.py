"""Work without a request: follow the database, send heartbeats, relay to the broker, tidy up."""
