"""What the gateway decides. Pure: events in, commands out."""
