"""Images without a daemon: kept by what is in them, taken apart into root file systems, made, pushed and pulled."""
