"""Traces made of traces: scaled, sampled."""
