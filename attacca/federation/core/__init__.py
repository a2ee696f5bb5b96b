"""The controller of a federation, which decides in which domain a workflow is."""
