"""Frozen data that the planes share, in memory and on the wire."""
