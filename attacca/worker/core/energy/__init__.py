"""What a worker's machine has spent, and who for."""
