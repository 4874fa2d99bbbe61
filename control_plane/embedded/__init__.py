"""The production ports without production's servers, for one process: in memory, and PostgreSQL from a wheel."""
