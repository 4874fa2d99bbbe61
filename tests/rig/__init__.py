"""A whole installation out of real processes, for tests of promises and for benchmarks."""
