"""What the process that plans and records says to those that send, and what they answer: length, then msgpack."""

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from attacca.load.workload.scenario import Clients, FunctionPlan

SIZE: Final = struct.Struct("<I")

Planned = tuple[int, float, int, float]  # idx, due_s, function, duration_ms
Sent = tuple[int, int, float, float, float, int, bytes, str, int, int, float, float]
"""idx, function, due_s, sent_s, recv_s, status, head (of an error: with its body), error, bytes in, bytes out,
duration_ms, turn_s: when the generator came to it. From then until it was sent it waited for a connection that the
platform would take. Status 0: no answer came."""


class Call(msgspec.Struct, frozen=True):
    """How a function is asked. `body` has a %f for the milliseconds if `is_timed`."""

    head: bytes  # of the request, up to the value of its content-length
    body: bytes
    is_timed: bool

    def request(self, duration_ms: float) -> tuple[bytes, int]:
        """All its bytes, and how many of them are the body."""
        body = self.body % duration_ms if self.is_timed else self.body
        return b"%b%d\r\n\r\n%b" % (self.head, len(body), body), len(body)


class Setup(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The first word to a sender. `clients` with `numbers`: it is a closed loop, and these clients are its own."""

    host: str
    port: int
    calls: tuple[Call, ...]
    links: int  # connections to open ahead
    seed: int = 0
    clients: Clients | None = None
    numbers: tuple[int, ...] = ()
    plans: tuple[FunctionPlan, ...] = ()  # that clients choose from, in the order of `calls`
    until_s: float = 0.0


class Begin(msgspec.Struct, frozen=True, tag=True):
    """The run begins at this moment of the machine's monotonic clock; all times are counted from it."""

    origin: float


class More(msgspec.Struct, frozen=True, tag=True):
    items: tuple[Planned, ...]


class Finish(msgspec.Struct, frozen=True, tag=True):
    """Nothing more is planned. With `now`, what is planned is not sent any more."""

    now: bool = False


class GiveUp(msgspec.Struct, frozen=True, tag=True):
    """What is not answered by now will not be waited for."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Connected; `error` says why not."""

    error: str = ""


class Results(msgspec.Struct, frozen=True, tag=True):
    rows: tuple[Sent, ...]


class Done(msgspec.Struct, frozen=True, tag=True):
    """All is answered or given up."""


ToSender = Setup | Begin | More | Finish | GiveUp
FromSender = Ready | Results | Done

_encoder = msgspec.msgpack.Encoder()
to_sender = msgspec.msgpack.Decoder(ToSender)
from_sender = msgspec.msgpack.Decoder(FromSender)


def frame(message: ToSender | FromSender) -> bytes:
    body = _encoder.encode(message)
    return SIZE.pack(len(body)) + body


class Buffer:
    """Bytes as they come, cut into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def __repr__(self) -> str:
        return f"<Buffer {len(self._rest)} B>"

    def feed(self, data: bytes) -> Iterator[bytes]:
        data = self._rest + data if self._rest else data
        at = 0
        while len(data) - at >= SIZE.size:
            end = at + SIZE.size + SIZE.unpack_from(data, at)[0]
            if len(data) < end:
                break
            yield data[at + SIZE.size : end]
            at = end
        self._rest = data[at:]
