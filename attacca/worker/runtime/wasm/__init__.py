"""Sandboxes that run modules of WebAssembly: event functions as EDGELESS compiles them."""
