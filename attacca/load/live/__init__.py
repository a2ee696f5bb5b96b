"""A run against a live platform: its functions, its runner, its rows, and how it stands."""
