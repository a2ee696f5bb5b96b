"""Where this machine says what power it takes."""
