"""Workflows that come to a live server, live for a while, and go."""
