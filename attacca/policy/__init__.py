"""Decisions that can be swapped: one folder per family, one file per policy."""
