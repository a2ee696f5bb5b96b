"""Firecracker as the monitor of micro-VMs: told over its HTTP API, and its guests reached over its vsock."""
