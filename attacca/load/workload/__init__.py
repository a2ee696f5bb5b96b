"""What is asked of the system: the scenario's file, arrivals, durations, the schedule that follows from them."""
