"""Doors to databases of time series, each of which passes the suite in `conformance`, and a twin in memory."""
