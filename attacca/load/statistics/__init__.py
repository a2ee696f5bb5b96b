"""What samples allow one to say, and how surely."""
