"""HTTP on a socket, as the gateway speaks it: connections, answers, limits, and the bridge to the admin API."""
