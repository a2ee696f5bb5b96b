"""The agent on a machine that hosts sandboxes."""
