"""What runs inside: standard library only, imported before the first fork."""
