"""Real PostgreSQL, Redis and RabbitMQ for the tests: found, started, shared by all workers and stopped by themselves."""
