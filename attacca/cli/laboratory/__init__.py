"""Verbs of the laboratory: traces, scenarios, load, simulations, reports."""
