"""Sandboxes that are virtual machines, restored from the memory of one that has imported the code."""
