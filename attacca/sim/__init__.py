"""The same cores in virtual time: engine, world, hardware, network, faults, checks and studies."""
