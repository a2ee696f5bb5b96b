"""A way out for sandboxes: a cable of its own for each, rules for what may pass, and a resolver within each."""
