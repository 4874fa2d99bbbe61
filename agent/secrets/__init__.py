"""Secrets that are kept elsewhere: values of the control plane refer to them, and only here they are looked up."""
