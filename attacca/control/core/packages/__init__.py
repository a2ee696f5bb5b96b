"""What a function requires, read from the files that say so, and how an installer is asked for it."""
