"""Recorded and made-up workloads, read from the formats of the field into one schema."""
