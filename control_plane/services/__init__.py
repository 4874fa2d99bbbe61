"""What the control plane does, one module per intention: no HTTP, no SQL, no drivers."""
