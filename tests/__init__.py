"""The tests. A package, so that no other one of this name, which some library brings along, is taken for it."""
