"""Who somebody is: each kind of credential has its own way of telling."""
