"""The frames between a worker and what it has made: `length u32, kind u8, number u32`, then `length` bytes.

They travel in two pipes, one for each direction: a pipe carries bytes and nothing else, so that no descriptor of a
user's choice can reach the worker. All integers little-endian. `number` is chosen by the worker: it counts the
invocations of one sandbox, or the births that were ordered.
"""

import os
import select
import struct
import threading
from collections.abc import Callable, Sequence

HEAD = struct.Struct("<IBI")
MAX_FRAME = 1 << 30
SPARE = 65_536  # bytes: no packet is longer

# worker -> sandbox
ORDER = 9  # what to be, a JSON object: the first frame to whoever was forked by the zygote
GO = 1  # the worker holds on to this process: import the code, then say READY
INVOKE = 2  # a handler that takes a body alone
REQUEST = 8  # one that is told of the whole request
BODY = 3
BODY_END = 4
STOP = 5
PAUSE = 6  # the client reads slowly: send no more of this answer
RESUME = 7
GONE = 11  # the client of this invocation went away; what runs may go on, and need not
ANSWERED = 12  # what was asked: see ASK
EVENT = 13  # an event function has something to handle; ends in RESULT or ERROR
REPLIED = 14  # what a CALL or a SYNC came to
# worker -> the process that minds a template
PREPARE = 10  # a place for one more sandbox
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
BOUNCED = 29  # an INVOKE that came too early, while another runs: it was not begun, and will not be
ASK = 25  # a question about an invocation that runs here; each has one ANSWERED
CAST = 26  # an event for another instance; nothing comes back
CALL = 27  # the same, and one REPLIED comes back
SYNC = 28  # the state of the instance, to be kept; one REPLIED comes back when it is
# zygote or template -> worker
HALL = 32  # a zygote is there: its process id u32, as its supervisor sees it
UNFIT = 33  # it will not be: a text
PLACED = 34  # a template's process is where it will import the code, and waits for GO
MADE = 35  # a birth: the child's process id u32, as its parent sees it
REFUSED = 36  # no birth: a text
ENDED = 37  # a child: its wait status i32

# INVOKE: the lengths of id, content type and query u16 each; then the three, then the body.
INVOKE_HEAD = struct.Struct("<HHH")
# REQUEST: more u8, the client's port u16, the length of the head u32; then the head, then the body. The head is lines:
# id, content type, query, method, path, the client's address, scheme, then each header's name and value.
REQUEST_HEAD = struct.Struct("<BHI")
# RESULT and RESPONSE_HEAD: run_ms f32, status u16, length of content type u16, of headers u32; then both, then body.
# Headers are lines, too: each one's name and value.
RESULT_HEAD = struct.Struct("<fHHI")
FIELDS_MOST, HEAD_BYTES = 200, 64 << 10  # of an answer's head: who looks at more would be looking for long
OF = "\x1f"  # between a level and a target, in the name of a LOG's stream
# ASK: the question's id u32, which the sandbox chooses, and its kind u8; then what that kind wants. ANSWERED: the id
# u32, refused u8; then JSON: the answer, or why there is none.
ASK_HEAD, ANSWERED_HEAD = struct.Struct("<IB"), struct.Struct("<IB")
# EVENT: its kind u8, what it has u8, the lengths of its source u16 and of its data u32; then both, then the state.
EVENT_HEAD = struct.Struct("<BBHI")
INIT, CASTED, CALLED, HALT = 1, 2, 3, 4  # kinds of events
HAS_DATA, HAS_STATE = 1, 2
# CAST: seconds f64 until it is sent, whom it is for u8, the length of the target u16; then the target and the data.
# CALL: the id u32, which the sandbox chooses; then the same, the seconds being those that it waits, 0 for as long as
# its worker lets it. SYNC: the id u32, then the state. REPLIED: the id u32, what came u8; then the reply, or why not.
TARGET_HEAD, ID = struct.Struct("<dBH"), struct.Struct("<I")
AN_OUTPUT, AN_INSTANCE = 0, 1
FUNCTIONS = "@/functions"  # behind the name of an ordinary one
REPLIED_HEAD = struct.Struct("<IB")
NOTHING, A_REPLY, AN_ERROR = 0, 1, 2
TIME_LEFT = 1  # until the invocation's time limit: {"ms"}
PROCESS = struct.Struct("<I")
STATUS = struct.Struct("<i")

Write = Callable[..., None]  # (kind, invocation, *parts), whoever carries it


def lines(parts: Sequence[bytes]) -> bytes:
    """As one. A line feed in a part becomes a NUL: HTTP allows neither, and whoever takes them apart gets as many."""
    whole = b"\n".join(parts)
    if whole.count(b"\n") >= len(parts) > 0:
        whole = b"\n".join([part.replace(b"\n", b"\0") for part in parts])
    return whole


def fields(raw: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values that were made one by `lines`.

    Raises:
        ValueError: there is a name without a value.
    """
    parts = raw.split(b"\n") if raw else []
    return list(zip(parts[::2], parts[1::2], strict=True))


def with_field(raw: bytes, name: bytes, value: bytes) -> bytes:
    """The same with one more."""
    return b"\n".join((raw, name, value) if raw else (name, value))


class Closed(Exception):
    """The worker let go of the channel."""


class Channel:
    """The inner end, blocking: frames from one descriptor, frames to the other. Several threads may write."""

    def __init__(self, reader: int, writer: int) -> None:
        self.reader, self.writer = reader, writer
        self._buffer = b""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Channel {self.reader} in, {self.writer} out, {len(self._buffer)} bytes read ahead>"

    def read(self) -> tuple[int, int, bytes]:
        """The next frame: kind, number, payload.

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

    @property
    def has_more(self) -> bool:
        """Is there something to read, so that `read` would not wait long?"""
        if self._buffer:
            return True
        waiting = select.poll()
        waiting.register(self.reader, select.POLLIN)
        return bool(waiting.poll(0))

    def _receive(self) -> bytes:
        try:
            data = os.read(self.reader, 65536)
        except OSError as error:
            raise Closed from error
        if not data:
            raise Closed
        return data

    def _receive_until(self, start: bytes, end: int) -> bytes:
        whole = bytearray(end + SPARE)  # of a packet in a pipe, what is not read at once is lost
        whole[: len(start)] = start
        view, filled = memoryview(whole), len(start)
        while filled < end:
            count = os.readv(self.reader, [view[filled:]])
            if count == 0:
                raise Closed
            filled += count
        return bytes(view[:filled])

    def write(self, kind: int, number: int, *parts: bytes) -> None:
        size = sum(map(len, parts))
        with self._lock:
            if size <= 65536:
                self._send(b"".join((HEAD.pack(size, kind, number), *parts)))
                return
            self._send(HEAD.pack(size, kind, number))
            for part in parts:
                self._send(part)

    def _send(self, data: bytes) -> None:
        sent = os.write(self.writer, data)
        while sent < len(data):
            sent += os.write(self.writer, memoryview(data)[sent:])
