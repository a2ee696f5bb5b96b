"""Writes of one key are carried out one after the other."""

import asyncio
from typing import NamedTuple

from attacca.errors import AttaccaError
from attacca.io.store.memory import MemoryStore
from attacca.io.store.writing import Writing
from attacca.kernel.clock import ManualClock


class Put(NamedTuple):
    key: str
    value: bytes | None


async def write() -> None:
    store, told = MemoryStore(ManualClock()), list[tuple[Put, int]]()
    is_done = asyncio.Event()

    def done(put: Put, outcome: int | AttaccaError) -> None:
        assert isinstance(outcome, int)
        told.append((put, outcome))
        if len(told) == 4:
            is_done.set()

    writing: Writing[Put] = Writing(store, lambda put: put.value, done)
    puts = [Put("a", b"1"), Put("a", b"2"), Put("b", b"3"), Put("a", None)]
    for put in puts:
        writing.add(put)
    assert repr(writing) == "<Writing 2 keys>"
    await is_done.wait()
    assert [put for put, _ in told if put.key == "a"] == [puts[0], puts[1], puts[3]]
    assert (await store.get("a"), len(writing)) == (None, 0)
    await writing.close()


def test_they_are() -> None:
    asyncio.run(write())
