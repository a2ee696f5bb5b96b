"""What joins live server, load and simulation: local servers, live runs, ramps, bursts, benches, validation."""
