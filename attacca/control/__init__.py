"""The control plane of one domain: the catalogue of functions and who may change it."""
