"""The processes that send: paced open loops, waiting clients, lean connections, and what they are told and tell."""
