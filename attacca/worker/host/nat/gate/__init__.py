"""The way out of sandboxes of an ordinary user's server."""
