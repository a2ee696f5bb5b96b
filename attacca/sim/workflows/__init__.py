"""Workflows in virtual time: the cores of a domain and of its workers, on simulated machines that fail."""
