"""The journal on a disk: a file, a thread, no socket."""
