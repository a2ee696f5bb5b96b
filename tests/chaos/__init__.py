"""Faults on a live cluster under load: `make chaos`."""
