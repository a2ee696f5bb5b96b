"""The suite that every link passes: `await check_link(join)`, where `join` makes a connection between two receivers."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

import msgspec

from attacca.io.wire.types import TOO_SLOW, VERSION, Hello, Limits, Link, Receiver

PATIENCE_S = 20.0  # a test that hangs fails; nothing is measured
LEFT, RIGHT = Hello("gateway", "left", b"sesame"), Hello("worker", "right", b"sesame")
SMALL = Limits(message_bytes=8_000_000, high_bytes=50_000, most_bytes=4_000_000)


class Word(msgspec.Struct, frozen=True, tag=True):
    """What is said in these suites."""

    number: int
    data: bytes = b""


class Joint(Protocol):
    """Two receivers, joined."""

    async def cut(self) -> None:
        """The link breaks without a word."""

    async def mend(self) -> None:
        """There is another one, or there will be soon."""

    async def close(self) -> None: ...


Join = Callable[[Receiver[Any], Hello, Receiver[Any], Hello, Limits], Awaitable[Joint]]


class Recorder:
    """A receiver that notes what it is told, and asserts that it is told one thing at a time."""

    def __init__(self) -> None:
        self.peers: list[Hello] = []
        self.numbers: list[int] = []
        self.sizes: list[int] = []
        self.slow: list[bool] = []
        self.ends: list[str] = []
        self.refusals: list[str] = []
        self.links: list[Link[Any]] = []
        self.on_open: Callable[[Link[Any]], None] | None = None
        self.on_word: Callable[[Link[Any], Word], None] | None = None
        self._open: list[Link[Any]] = []
        self._is_busy = False
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Recorder: {len(self.numbers)} words, {len(self.links)} links, {len(self.ends)} ended>"

    @property
    def link(self) -> Link[Any]:
        return self.links[-1]

    def opened(self, link: Link[Any], peer: Hello) -> Callable[[Word], None]:
        assert link not in self.links, "a link was opened twice"
        self._open.append(link)
        self.links.append(link)
        self.peers.append(peer)
        if self.on_open is not None:
            self.on_open(link)
        self._changed.set()
        return partial(self.received, link)

    def received(self, link: Link[Any], message: Word) -> None:
        assert link in self._open, "a message came on a link that was not open"
        assert not self._is_busy, "a message came while another was being received"
        self._is_busy = True
        self.numbers.append(message.number)
        self.sizes.append(len(message.data))
        if self.on_word is not None:
            self.on_word(link, message)
        self._is_busy = False
        self._changed.set()

    def pressed(self, link: Link[Any], *, is_slow: bool) -> None:
        self.slow.append(is_slow)
        self._changed.set()

    def closed(self, link: Link[Any], why: str) -> None:
        assert link in self._open, "a link was closed that was not open"
        self._open.remove(link)
        self.ends.append(why)
        self._changed.set()

    def refused(self, why: str) -> None:
        self.refusals.append(why)
        self._changed.set()

    async def until(self, is_so: Callable[["Recorder"], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so(self):
                self._changed.clear()
                await self._changed.wait()


async def check_link(join: Join) -> None:
    """Each check on a joint of its own.

    Raises:
        AssertionError: the link does not do what `types.Link` says.
    """
    for check in (_order, _answers, _first_words, _back_pressure, _slow_reader, _orderly, _orderly_when_paused,
                  _closed_inside, _paused_inside, _cut, _large):  # fmt: skip
        left, right = Recorder(), Recorder()
        if check is _first_words:
            left.on_open = right.on_open = _speak
        joint = await join(left, LEFT, right, RIGHT, SMALL)
        try:
            await left.until(lambda one: one.links != [])
            await right.until(lambda one: one.links != [])
            assert (left.peers, right.peers) == ([RIGHT], [LEFT])
            await check(joint, left, right)
        finally:
            await joint.close()
    await _strangers(join)


async def _order(joint: Joint, left: Recorder, right: Recorder) -> None:
    for number in range(300):
        left.link.send(Word(number, b"x" * (number * 7)))
        right.link.send(Word(-number))
    await right.until(lambda one: len(one.numbers) >= 300)
    await left.until(lambda one: len(one.numbers) >= 300)
    assert right.numbers == list(range(300))
    assert right.sizes == [number * 7 for number in range(300)]
    assert left.numbers == [-number for number in range(300)]


async def _answers(joint: Joint, left: Recorder, right: Recorder) -> None:
    """Who is told something says something, to whom it is told by, who says something again."""

    def answer(link: Link[Any], word: Word) -> None:
        for more in (1, 2):
            if word.number * 2 + more < 63:
                link.send(Word(word.number * 2 + more))

    left.on_word = right.on_word = answer
    left.link.send(Word(0))
    await left.until(lambda _: len(left.numbers) + len(right.numbers) == 63)
    assert right.numbers == [*range(1), *range(3, 7), *range(15, 31)]
    assert left.numbers == [*range(1, 3), *range(7, 15), *range(31, 63)]


def _speak(link: Link[Any]) -> None:
    link.send(Word(1))
    link.send(Word(2))


async def _first_words(joint: Joint, left: Recorder, right: Recorder) -> None:
    await left.until(lambda one: len(one.numbers) == 2)
    await right.until(lambda one: len(one.numbers) == 2)
    assert (left.numbers, right.numbers) == ([1, 2], [1, 2])


async def _back_pressure(joint: Joint, left: Recorder, right: Recorder) -> None:
    right.link.pause()
    sent = 0
    while not left.slow:
        left.link.send(Word(sent, bytes(40_000)))
        sent += 1
        await asyncio.sleep(0)
    assert (left.slow, right.numbers) == ([True], [])
    right.link.send(Word(7))
    await left.until(lambda one: one.numbers == [7])
    right.link.resume()
    await right.until(lambda one: len(one.numbers) == sent)
    assert right.numbers == list(range(sent))
    await left.until(lambda one: one.slow == [True, False])


async def _slow_reader(joint: Joint, left: Recorder, right: Recorder) -> None:
    """What is kept for it is bounded; then it has to begin anew."""
    paused, sent = right.link, 0
    paused.pause()
    while not left.ends:
        left.link.send(Word(sent, bytes(1_000_000)))
        sent += 1
        assert sent < 1000, "everything is kept"
        await asyncio.sleep(0)
    paused.resume()
    await right.until(lambda one: len(one.ends) == 1)
    assert left.ends == [TOO_SLOW]
    assert len(right.numbers) < sent


async def _orderly(joint: Joint, left: Recorder, right: Recorder) -> None:
    there = right.link
    for number in range(100):
        left.link.send(Word(number, bytes(1000)))
    left.link.close("done with it")
    left.link.send(Word(100))
    left.link.close("again")
    await right.until(lambda one: len(one.ends) == 1)
    await left.until(lambda one: len(one.ends) == 1)
    assert right.numbers == list(range(100))
    assert "done with it" in right.ends[0]
    assert left.ends == ["done with it"]
    there.send(Word(1))
    assert left.numbers == []


async def _orderly_when_paused(joint: Joint, left: Recorder, right: Recorder) -> None:
    right.link.pause()
    left.link.send(Word(1))
    left.link.close("done")
    await asyncio.sleep(0)
    assert right.numbers == []
    right.link.resume()
    await right.until(lambda one: len(one.ends) == 1)
    await left.until(lambda one: one.ends == ["done"])
    assert right.numbers == [1]


async def _closed_inside(joint: Joint, left: Recorder, right: Recorder) -> None:
    right.on_word = lambda link, word: link.close("enough") if word.number == 2 else None
    for number in range(5):
        left.link.send(Word(number))
    await left.until(lambda one: len(one.ends) == 1)
    await right.until(lambda one: len(one.ends) == 1)
    assert right.numbers == [0, 1, 2]
    assert "enough" in left.ends[0]


async def _paused_inside(joint: Joint, left: Recorder, right: Recorder) -> None:
    right.on_word = lambda link, word: link.pause() if word.number == 2 else None
    for number in range(5):
        left.link.send(Word(number))
    await right.until(lambda one: len(one.numbers) >= 3)
    right.link.send(Word(9))
    await left.until(lambda one: one.numbers == [9])
    assert right.numbers == [0, 1, 2]
    right.link.resume()
    await right.until(lambda one: one.numbers == [0, 1, 2, 3, 4])


async def _cut(joint: Joint, left: Recorder, right: Recorder) -> None:
    left.link.send(Word(1))
    await right.until(lambda one: one.numbers == [1])
    old = left.link
    await joint.cut()
    await left.until(lambda one: len(one.ends) == 1)
    await right.until(lambda one: len(one.ends) == 1)
    assert all(left.ends + right.ends), "nobody was told why"
    old.send(Word(2))
    await joint.mend()
    await left.until(lambda one: len(one.links) == 2)
    await right.until(lambda one: len(one.links) == 2)
    old.send(Word(3))
    left.link.send(Word(4))
    right.link.send(Word(5))
    await right.until(lambda one: len(one.numbers) == 2)
    await left.until(lambda one: one.numbers == [5])
    assert right.numbers == [1, 4]


async def _large(joint: Joint, left: Recorder, right: Recorder) -> None:
    left.link.send(Word(1, bytes(3_000_000)))
    left.link.send(Word(2))
    await right.until(lambda one: one.numbers == [1, 2])
    assert right.sizes == [3_000_000, 0]


async def _strangers(join: Join) -> None:
    newer = msgspec.structs.replace(RIGHT, version=VERSION + 1)
    for other, named in ((newer, "version"), (msgspec.structs.replace(RIGHT, key=b"no"), "key"), (LEFT, "gateway")):
        left, right = Recorder(), Recorder()
        joint = await join(left, LEFT, right, other, SMALL)
        try:
            await left.until(lambda one: one.refusals != [])
            await right.until(lambda one: one.refusals != [])
            assert named in left.refusals[0]
            assert (left.links, right.links) == ([], [])
        finally:
            await joint.close()
