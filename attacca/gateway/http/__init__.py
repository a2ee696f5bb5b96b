"""HTTP on a socket, as the gateway speaks it: connections, answers, limits, and the admin API behind an adapter."""
