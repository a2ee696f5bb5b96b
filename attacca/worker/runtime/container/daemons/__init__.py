"""Engines that are daemons of their own, as containerd and dockerd: what is the same with all, and a door to each."""
