"""How secrets are sealed before they lie anywhere: one protocol, two doors behind it."""
