"""The frames between a worker and one sandbox: `length u32, kind u8, invocation u32`, then `length` bytes.

`invocation` counts the invocations of one sandbox and is chosen by the worker. All integers little-endian.
"""

import socket
import struct
import threading
from collections.abc import Callable

HEAD = struct.Struct("<IBI")
MAX_FRAME = 1 << 30

# worker -> sandbox
GO = 1  # the limits are in place: import the code, then say READY
INVOKE = 2  # a handler
REQUEST = 8  # an application
BODY = 3
BODY_END = 4
STOP = 5
PAUSE = 6  # the client reads slowly: send no more of this answer
RESUME = 7
# sandbox -> worker
READY = 16
FAILED = 17
RESULT = 18
ERROR = 19
RESPONSE_HEAD = 20
RESPONSE_BODY = 21
RESPONSE_END = 22
LOG = 23
BROKEN = 24  # the answer could not be sent: {"code", "message"}

# INVOKE: the lengths of id, content type and query u16 each; then the three, then the body.
INVOKE_HEAD = struct.Struct("<HHH")
# REQUEST: more u8, then the lengths of id, content type, query, method, path u16 each, of headers u32; then all of them
# in this order, then the body. Headers are a JSON list of pairs, latin-1 as in HTTP.
REQUEST_HEAD = struct.Struct("<BHHHHHI")
# RESULT and RESPONSE_HEAD: run_ms f32, status u16, length of content type u16, of headers u32; then both, then body.
RESULT_HEAD = struct.Struct("<fHHI")


Write = Callable[..., None]  # (kind, invocation, *parts), whoever carries it


class Closed(Exception):
    """The worker let go of the channel."""


class Channel:
    """The sandbox's end, blocking. Writing is safe from several threads."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = b""
        self._lock = threading.Lock()

    def read(self) -> tuple[int, int, bytes]:
        """The next frame: kind, invocation, payload.

        Raises:
            Closed: there will be no more.
        """
        buffer = self._buffer or self._receive()
        while len(buffer) < 9:
            buffer += self._receive()
        size, kind, number = HEAD.unpack_from(buffer)
        end = 9 + size
        if len(buffer) < end:
            buffer = self._receive_until(buffer, end)
        self._buffer = buffer[end:]
        return kind, number, buffer[9:end]

    def _receive(self) -> bytes:
        try:
            data = self.sock.recv(65536)
        except OSError as error:
            raise Closed from error
        if not data:
            raise Closed
        return data

    def _receive_until(self, start: bytes, end: int) -> bytes:
        whole = bytearray(end)
        whole[: len(start)] = start
        view, filled = memoryview(whole), len(start)
        while filled < end:
            count = self.sock.recv_into(view[filled:])
            if count == 0:
                raise Closed
            filled += count
        return bytes(whole)

    def write(self, kind: int, number: int, *parts: bytes) -> None:
        size = sum(map(len, parts))
        with self._lock:
            if size <= 65536:
                self.sock.sendall(b"".join((HEAD.pack(size, kind, number), *parts)))
                return
            self.sock.sendall(HEAD.pack(size, kind, number))
            for part in parts:
                self.sock.sendall(part)
