"""The suite that every link of bytes passes: `await check_bytes(dial)`, whatever comes from whoever dials.

`dial` makes a connection between a receiver and a hand that keeps no rules.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec

from attacca.errors import PayloadTooLarge
from attacca.io.wire.conformance import LEFT, RIGHT, SMALL, Recorder, Word
from attacca.io.wire.frames import HELLO_BYTES
from attacca.io.wire.types import VERSION, Hello, Limits, Receiver


class Hand(Protocol):
    """Whoever is joined to a receiver and keeps no rules. `read` gives all that came until the connection ended."""

    def write(self, data: bytes) -> None: ...
    def write_eof(self) -> None: ...
    async def read(self) -> bytes: ...


Dial = Callable[[Receiver[Any], Hello, Limits], Awaitable[Hand]]


def frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + payload


def spoken(word: object) -> bytes:
    return frame(msgspec.msgpack.encode(word))


HELLO, FIRST, SECOND = spoken(RIGHT), spoken(Word(1)), spoken(Word(2, bytes(300)))
CUT = "in the middle of a frame"
CASES: Sequence[tuple[bytes, list[int], str]] = (  # what is sent before the end, what is received, what it ends with
    (HELLO + FIRST + SECOND, [1, 2], "closed"),
    (HELLO, [], "closed"),
    (HELLO + FIRST + SECOND[:-1], [1], CUT),
    (HELLO + FIRST + SECOND[:2], [1], CUT),
    (HELLO + FIRST + frame(b""), [1], "no message"),
    (HELLO + FIRST + frame(b"\xc1garbage") + SECOND, [1], "no message"),
    (HELLO + FIRST + frame(msgspec.msgpack.encode(Word(2)) + b"x") + SECOND, [1], "no message"),
    (HELLO + FIRST + spoken({"type": "Word", "number": "two"}) + SECOND, [1], "no message"),
    (HELLO + FIRST + spoken({"type": "Unheard", "number": 2}) + SECOND, [1], "no message"),
    (HELLO + FIRST + spoken(RIGHT) + SECOND, [1], "no message"),
    (HELLO + FIRST + frame(b"\x91" * 100_000) + SECOND, [1], "no message"),
    (HELLO + FIRST + (SMALL.message_bytes + 1).to_bytes(4, "big") + SECOND, [1], f"{SMALL.message_bytes + 1} bytes"),
    (HELLO + b"\xff\xff\xff\xff", [], "4294967295 bytes"),
)
BEFORE: Sequence[tuple[bytes, str]] = (  # instead of a hello
    (b"", "closed"),
    (HELLO[:9], CUT),
    (b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", "bytes"),
    (frame(b"\xc1garbage"), "who it is"),
    (frame(b""), "who it is"),
    (FIRST, "who it is"),
    ((HELLO_BYTES + 1).to_bytes(4, "big"), f"{HELLO_BYTES + 1} bytes"),
    (
        spoken({"type": "Hello", "plane": "worker", "name": "w", "key": b"sesame", "version": 99, "new": [1]}),
        "version 99",
    ),
    (spoken({"type": "Hello", "plane": "worker", "name": "w", "key": b"", "version": VERSION}) + FIRST, "another key"),
)


async def check_bytes(dial: Dial) -> None:
    """
    Raises:
        AssertionError: something that was sent did something else than to be received or to end the connection.
    """
    for sent, numbers, why in CASES:
        for piece in (len(sent), 1 if len(sent) < 1000 else 997):
            seen = await _sent(dial, sent, piece)
            assert (seen.numbers, len(seen.links), len(seen.ends), seen.refusals) == (numbers, 1, 1, []), sent[:200]
            assert why in seen.ends[0], (sent[:200], seen.ends)
    for sent, why in BEFORE:
        seen = await _sent(dial, sent, 5)
        assert (seen.numbers, seen.links, len(seen.refusals)) == ([], [], 1), sent
        assert why in seen.refusals[0], (sent, seen.refusals)
    await _silence(dial)
    await _told_why(dial)
    await _too_large(dial)


async def _sent(dial: Dial, data: bytes, piece: int) -> Recorder:
    """To a side that says nothing by itself, until the connection has ended."""
    seen = Recorder()
    hand = await dial(seen, LEFT, SMALL)
    for at in range(0, len(data), piece):
        hand.write(data[at : at + piece])
    hand.write_eof()
    await hand.read()
    await seen.until(lambda one: len(one.ends) + len(one.refusals) > 0)
    return seen


async def _silence(dial: Dial) -> None:
    seen = Recorder()
    hand = await dial(seen, LEFT, Limits(hello_s=0.01))
    await hand.read()
    await seen.until(lambda one: one.refusals != [])
    assert "did not say who it is" in seen.refusals[0]


async def _told_why(dial: Dial) -> None:
    """A peer that is refused hears the reason, in words of a version that will not change; and nothing before."""
    seen = Recorder()
    hand = await dial(seen, LEFT, SMALL)
    hand.write(spoken(msgspec.structs.replace(RIGHT, version=VERSION + 1)))
    said = await hand.read()
    assert LEFT.key not in said, "a stranger is told the key"
    goodbye = msgspec.msgpack.decode(said[4:])
    assert goodbye["type"] == "Goodbye"
    assert f"version {VERSION + 1}" in goodbye["why"]


async def _too_large(dial: Dial) -> None:
    """What the peer would not take is not sent, and what follows is."""
    seen = Recorder()
    hand = await dial(seen, LEFT, SMALL)
    hand.write(HELLO)
    await seen.until(lambda one: one.links != [])
    try:
        seen.link.send(Word(1, bytes(SMALL.message_bytes)))
    except PayloadTooLarge:
        pass
    else:
        raise AssertionError("a message was sent that nobody takes")
    seen.link.send(Word(2))
    seen.link.close("done")
    said = await hand.read()
    assert FIRST not in said
    assert spoken(Word(2)) in said
