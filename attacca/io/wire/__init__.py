"""Links between planes: messages in order, one at a time, in one process or over TCP, and nobody can tell which."""
