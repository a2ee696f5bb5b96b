"""Decisions on calls whose answers are fetched later: when each is tried and when it is over; what is due by itself."""
