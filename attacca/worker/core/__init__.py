"""What the worker decides. Pure: events in, commands out."""
