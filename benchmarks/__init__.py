"""The performance budgets, measured: `make bench`."""
