"""Resources on brokers that are too large for the run of all checks: `make brokers`."""
