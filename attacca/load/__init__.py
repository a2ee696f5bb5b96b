"""The laboratory's bench: traces, shapes of load, the open-loop generator, records and reports."""
