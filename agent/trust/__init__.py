"""Which control plane's word is taken: the keys that we know it by, and what they say of messages and snapshots."""
