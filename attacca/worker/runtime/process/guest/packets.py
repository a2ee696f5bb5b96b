"""What the worker, the zygote and its templates say to each other: one JSON packet at a time, with descriptors.

To a zygote or template: an Order with [channel, output]; or, to a template once, {"go": true}.
From them: {"made": id} with [pidfd], {"refused": id, "error": text}, {"ended": id, "status": wait status}.
From a template besides: {"ready": ...} or {"failed": ...}.
"""

import json
import socket
from typing import Any

LARGEST = 192 * 1024  # bytes; the kernel's default for a socket buffer is a little over


def send(sock: socket.socket, message: Any, descriptors: tuple[int, ...] = ()) -> None:
    raw = json.dumps(message).encode()
    if descriptors:
        socket.send_fds(sock, [raw], list(descriptors))
    else:
        sock.send(raw)


def receive(sock: socket.socket) -> tuple[Any, list[int]]:
    """The next packet; (None, []) when the other side is gone."""
    raw, descriptors, _, _ = socket.recv_fds(sock, LARGEST, 4)
    return (json.loads(raw), descriptors) if raw else (None, descriptors)
