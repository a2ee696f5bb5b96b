"""The process that starts containers, knows their ends, and is the end of them all. Standard library only."""
