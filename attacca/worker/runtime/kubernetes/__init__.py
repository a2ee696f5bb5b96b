"""Pods of a Kubernetes cluster as sandboxes, made through its API server."""
