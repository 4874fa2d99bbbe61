"""Which adapters and services a replica is made of. `control_plane/main.py` opens, starts and serves them."""
