"""Ways to make sandboxes. Empty on purpose: the guest is imported through it by a bare interpreter."""
