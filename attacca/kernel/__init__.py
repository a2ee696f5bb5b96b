"""Time, chance, names and measures: the small things every layer needs."""
