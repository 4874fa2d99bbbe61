"""What may be lost: compiled snapshots, the bell, agents' reports. The only package that imports redis."""
