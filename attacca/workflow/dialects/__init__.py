"""How other platforms' tools speak to a domain."""
