"""What lies in the sandbox of a module: of all our files it sees only these."""
