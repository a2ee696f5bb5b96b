"""The client of a running attacca: its HTTP API, and what is deployed. For the command line and for scripts."""
