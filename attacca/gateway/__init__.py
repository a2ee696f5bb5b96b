"""The data plane: takes invocations, decides whether and where they run, answers."""
