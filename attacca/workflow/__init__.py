"""Workflows: event functions and resources wired into graphs, and kept running."""
