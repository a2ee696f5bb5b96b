"""Sandboxes that control has made: how many of a function, on which workers, and where gateways find them."""
