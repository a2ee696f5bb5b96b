"""The simulated platform: gateway, workers and control on machines and a network in virtual time."""
