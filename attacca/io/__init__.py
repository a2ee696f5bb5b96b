"""Doors to the world, each with an in-memory twin."""
