"""The agent inside a sandbox: serves a function on a channel to its worker. Standard library only."""
