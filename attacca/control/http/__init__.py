"""The admin API: what it answers, in which shapes, and who may ask."""
