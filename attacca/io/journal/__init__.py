"""Doors to the journal of asynchronous calls."""
