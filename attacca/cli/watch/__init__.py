"""Verbs that watch: logs, invocations, sandboxes."""
