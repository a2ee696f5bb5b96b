"""What runs in a micro-VM, besides the agent. Standard library only."""
