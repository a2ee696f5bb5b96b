"""What is kept of a simulated run, and of the code that decided it."""
