"""What the services need from the outside. Adapters implement these; fakes and real ones pass one contract suite."""
