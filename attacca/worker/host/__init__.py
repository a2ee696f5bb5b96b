"""What this machine has: isolation, memory, load."""
