"""What decides about workflows. Pure: events in, commands out."""
