"""The only truth: PostgreSQL. The SQL lies in `migrations/` and `queries/`; nothing else imports asyncpg."""
