"""Sandboxes made of processes, namespaces, cgroups and seccomp."""
