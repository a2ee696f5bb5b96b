import asyncio
from typing import Any

from attacca.io.wire.conformance import LEFT, RIGHT, Recorder, Word, check_link
from attacca.io.wire.memory import MemoryLink, join
from attacca.io.wire.types import Hello, Limits, Receiver


class MemoryJoint:
    def __init__(
        self, left: Receiver[Any], left_hello: Hello, right: Receiver[Any], right_hello: Hello, limits: Limits
    ) -> None:
        self._sides = left, left_hello, right, right_hello, limits
        self.link: MemoryLink | None = join(*self._sides)

    async def cut(self) -> None:
        assert self.link is not None
        self.link.cut()

    async def mend(self) -> None:
        self.link = join(*self._sides)

    async def close(self) -> None:
        if self.link is not None:
            self.link.close("done")


async def in_memory(*sides: Any) -> MemoryJoint:
    return MemoryJoint(*sides)


def test_the_memory_link_does_what_a_link_does() -> None:
    asyncio.run(check_link(in_memory))


def test_what_is_sent_is_received_in_the_same_moment_and_as_it_is() -> None:
    left, right, seen = Recorder(), Recorder(), []
    right.on_word = lambda _, word: seen.append(word)
    link = join(left, LEFT, right, RIGHT)
    assert link is not None
    word = Word(1)
    link.send(word)
    assert seen[0] is word


def test_its_repr_counts() -> None:
    left, right = Recorder(), Recorder()
    link = join(left, LEFT, right, RIGHT)
    assert link is not None
    assert repr(link) == "<MemoryLink open: 0 messages wait, 0 bytes>"
    right.link.pause()
    link.send(Word(1))
    assert repr(right.link) == "<MemoryLink paused: 1 messages wait, 30 bytes>"
    link.close("done")
    assert repr(link) == "<MemoryLink closed: 0 messages wait, 0 bytes>"
