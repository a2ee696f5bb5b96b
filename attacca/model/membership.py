"""When a plane is taken for lost, and what becomes of what it had: what a server and a simulation have unless told
otherwise."""

HEARTBEAT_S = 1.0  # how often workers say what they do
SILENT_S = 3 * HEARTBEAT_S  # who says nothing for so long is lost
ATTEMPTS = 3  # workers that an invocation is sent to, when one after the other is lost
