"""Verbs of the machine: start everything, check, settings, tokens."""
