"""The durable store: one protocol, several doors behind it."""
