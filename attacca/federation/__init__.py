"""Several domains: the controller of a federation, and a domain's link to it."""
