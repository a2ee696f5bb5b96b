"""The planes as processes of their own, one file for each."""
