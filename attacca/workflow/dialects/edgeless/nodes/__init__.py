"""EDGELESS's nodes: unmodified ones join a domain, and host its Wasm functions and their own resources."""
