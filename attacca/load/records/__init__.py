"""What is kept of a run, live or simulated: its columns, and how they are written and read back."""
