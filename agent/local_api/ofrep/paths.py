"""Where the protocol is served."""

BULK = "/ofrep/v1/evaluate/flags"
SINGLE = f"{BULK}/{{key}}"
SINGLE_OF_ANY = f"{BULK}/{{key:[\\s\\S]+}}"
"""A key is whatever follows: one that some client did not encode is still told back as it is."""
STREAM = "/ofrep/v1/sse"
