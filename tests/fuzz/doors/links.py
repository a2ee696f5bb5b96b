"""Bytes on a link between planes: what comes is a word of that link, whole and as it was said, or the end, and why.

An input is one side's whole stream. It is read in one piece and in many, and both times the same is understood of it.
"""

import asyncio
import random
from collections.abc import Callable
from random import Random
from typing import Any, get_args

import msgspec
from msgspec import inspect

from attacca.io.wire.conformance import LEFT, RIGHT
from attacca.io.wire.frames import HEAD, HELLO_BYTES, Goodbye
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.types import Hello, Limits, Link
from attacca.model.messages import Body, FromControl, FromWorker, Supplied, ToControl, ToGateway, ToWorker
from tests.fuzz.door import Door
from tests.fuzz.mutation import mutate
from tests.io.wire.words import draw

# The first byte of an input says which.
UNIONS: tuple[Any, ...] = (ToWorker, FromWorker, FromControl, ToControl, ToGateway, Supplied)
LIMITS = Limits(message_bytes=20_000)
SPARE = 2000  # what is left out is said again, by its default
WORDS = [word for union in UNIONS for word in get_args(union)]


def frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(HEAD, "big") + payload


def said(word: object) -> bytes:
    return frame(msgspec.msgpack.encode(word))


GREETING = said(RIGHT)


class Links(Door):
    name = "links"
    largest = 40_000
    words = (
        GREETING,
        *(word.__name__.encode() for word in WORDS),
        *(field.encode() for word in WORDS for field in word.__struct_fields__),
        *(bytes((sign,)) for sign in (0x80, 0x8F, 0x90, 0xA0, 0xC0, 0xC1, 0xC4, 0xC6, 0xD9, 0xDB, 0xDF, 0xFF)),
        (20_000).to_bytes(HEAD, "big"), (20_001).to_bytes(HEAD, "big"), b"\xff\xff\xff\xff", b"\0\0\0\0",
    )  # fmt: skip

    def open(self) -> None:
        self._runner = asyncio.Runner()

    def close(self) -> None:
        self._runner.close()

    def seeds(self) -> list[bytes]:
        every = []
        for number, union in enumerate(UNIONS):
            chance = random.Random(number)
            told = [said(draw(chance, inspect.type_info(word))) for word in get_args(union)]
            every.append(bytes((number,)) + GREETING + b"".join(one for one in told if len(one) < 2000))
        body = said(Body("x", bytes(19_000), last=True))
        return [*every, b"\0" + GREETING + body + body, b"\0" + GREETING]

    def traps(self) -> list[bytes]:
        deep = (
            b"\x91" * 19_000,
            b"\x81\xa1a" * 6_000,
            b"\xdf\xff\xff\xff\xff",
            b"\xdd\xff\xff\xff\xff",
            b"\xc6\xff\xff\xff\xff",
        )
        traps = [b"\0" + GREETING + frame(one) for one in deep] + [b"\0" + frame(one) for one in deep]
        body = said(Body("x", b"1", last=False))
        traps += [
            b"\0" + said(stranger) + body for stranger in (LEFT, Hello("worker", "right", b"open"), Goodbye("why"))
        ]
        traps += [
            b"\0" + GREETING + said(Body("x", bytes(39_800), last=False)),
            b"\0" + GREETING + said(Goodbye("")) + body,
        ]
        return [*traps, b"\0" + GREETING * 3, b"\0" + GREETING + b"\0\0\0\0" * 5000]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.5:
            return mutate(chance, corpus, self.words)[: self.largest]
        number = chance.randrange(len(UNIONS))
        union = UNIONS[number] if chance.random() < 0.8 else chance.choice(UNIONS)
        told = [said(draw(chance, inspect.type_info(chance.choice(get_args(union))))) for _ in range(3)]
        if chance.random() < 0.5:
            told[1] = mutate(chance, told, self.words)
        return (bytes((number,)) + GREETING + b"".join(told))[: self.largest]

    def check(self, data: bytes) -> str:
        return self._runner.run(compared(data))


async def compared(data: bytes) -> str:
    number, stream = (data[0] % len(UNIONS) if data else 0), data[1:]
    whole = read(UNIONS[number], stream, [len(stream)])
    chance = random.Random(len(stream))
    pieces = read(UNIONS[number], stream, [chance.choice((1, 2, 3, 7, 500)) for _ in range(len(stream))])
    assert repr(whole.seen) == repr(pieces.seen), "it depends on how it is cut"
    assert whole.why == pieces.why, "it ends for another reason when it is cut"
    for message in whole.seen:
        assert type(message) in get_args(UNIONS[number]), "what came is no word of this link"
        raw = msgspec.msgpack.encode(message)
        assert len(raw) <= LIMITS.message_bytes + SPARE, "it is larger than it may be"
        again = msgspec.msgpack.decode(raw, type=UNIONS[number])
        assert repr(again) == repr(message), "it does not travel on"
    return f"refused: {whole.why}" if whole.why != "the peer closed it" else "taken"


class Seen:
    """Whoever is joined to the stranger."""

    def __init__(self, paper: "Paper") -> None:
        self.paper = paper
        self.seen: list[Any] = []
        self.opened_count = 0
        self.ends: list[str] = []

    @property
    def why(self) -> str:
        [why] = self.ends
        return why

    def opened(self, link: Link[Any], peer: Hello) -> Callable[[Any], None]:
        assert not self.ends, "it opens when it is over"
        assert peer == RIGHT or peer.key == LEFT.key, "a stranger was let in"
        self.opened_count += 1
        return self.hear

    def hear(self, message: Any) -> None:
        assert self.opened_count == 1, "a message comes before a greeting"
        assert not self.paper.is_over, "a message comes when it is over"
        self.seen.append(message)

    def pressed(self, link: Link[Any], *, is_slow: bool) -> None:
        raise AssertionError("nothing was sent that could press")

    def closed(self, link: Link[Any], why: str) -> None:
        assert self.opened_count == 1, "it ends before it began"
        self.ends.append(why)

    def refused(self, why: str) -> None:
        assert self.opened_count == 0, "it is refused when it is open"
        self.ends.append(why)


class Paper(asyncio.Transport):
    """A transport that notes what is written on it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_over = False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.is_over = True

    def abort(self) -> None:
        self.is_over = True

    def is_closing(self) -> bool:
        return self.is_over

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It has room for all."""

    def get_write_buffer_size(self) -> int:
        return 0


def read(words: Any, stream: bytes, sizes: list[int]) -> Seen:
    paper = Paper()
    seen = Seen(paper)
    link = StreamLink(seen, LEFT, words, LIMITS, has_dialed=False)
    link.connection_made(paper)
    at = 0
    for size in sizes:
        if paper.is_over or at >= len(stream):
            break
        link.data_received(stream[at : at + size])
        at += size
        assert len(link._buffer) <= LIMITS.message_bytes + HEAD + size, "it keeps more than a frame"
    if not paper.is_over:
        link.eof_received()
    link.connection_lost(None)
    assert len(paper.written) <= 2 * HELLO_BYTES, "a stranger is answered at length"
    assert seen.opened_count or LEFT.key not in paper.written, "a stranger is told the key"
    return seen
