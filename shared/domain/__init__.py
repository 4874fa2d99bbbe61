"""Pure values and rules of the hierarchy: no I/O, no clock, no technology."""
