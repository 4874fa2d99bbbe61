"""The control plane: takes changes from operators, keeps them in PostgreSQL, and sends them to the agents."""
