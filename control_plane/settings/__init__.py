"""Every knob of the control plane, read once from the environment, frozen."""
