"""Benchmarks over real processes on loopback. They print numbers and never judge: no number here is a test."""
