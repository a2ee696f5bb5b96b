"""What control decides. Pure."""
