"""Everybody who watches sees the same look, and nobody who is slow keeps anything waiting."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from attacca.control.watching import Watching
from attacca.model.overview import Overview


class World:
    def __init__(self) -> None:
        self.looks = 0
        self.running = 0
        self.turn = asyncio.Event()
        self.is_ending = False
        self.error: Exception | None = None
        self.watching = Watching(self.look, self.sleep, lambda: self.is_ending)

    async def look(self) -> Overview:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return Overview(running=self.running)

    async def sleep(self, _: float) -> None:
        await self.turn.wait()
        self.turn.clear()

    async def pass_by(self, running: int) -> None:
        self.running = running
        self.turn.set()
        for _ in range(5):
            await asyncio.sleep(0)


async def read(lines: AsyncIterator[bytes]) -> tuple[str, int]:
    name, data = (await anext(lines)).decode().split("\n")[:2]
    return name.removeprefix("event: "), msgspec.json.decode(data.removeprefix("data: "))["running"]


def test_all_is_told_first_then_what_changes_and_who_missed_something_is_told_all() -> None:
    async def play() -> None:
        world = World()
        quick, slow = world.watching.follow(), world.watching.follow()
        assert await read(quick) == await read(slow) == ("overview", 0)
        await world.pass_by(0)
        assert world.looks == 2
        await world.pass_by(1)
        assert await read(quick) == ("change", 1)
        await world.pass_by(2)
        assert await read(quick) == ("change", 2)
        assert await read(slow) == ("overview", 2)
        assert repr(world.watching) == "<Watching 2 watch, 3 seen>"
        for one in (quick, slow):
            await one.aclose()  # type: ignore[attr-defined]  # a generator
        assert repr(world.watching) == "<Watching 0 watch, 3 seen>"
        looks = world.looks
        await world.pass_by(9)
        assert world.looks == looks  # nobody watches, nobody looks
        assert await read(world.watching.follow()) == ("overview", 9)

    asyncio.run(play())


def test_a_hundred_who_come_at_once_cost_one_look_and_are_told_the_same_words() -> None:
    async def play() -> None:
        world = World()
        many = [world.watching.follow() for _ in range(100)]
        first = await asyncio.gather(*(anext(one) for one in many))
        assert world.looks == 1
        assert len({id(one) for one in first}) == 1, "written once"
        for number in range(1, 4):
            coming = [asyncio.ensure_future(anext(one)) for one in many]
            await asyncio.sleep(0)
            await world.pass_by(number)
            told = await asyncio.gather(*coming)
            assert world.looks == 1 + number
            assert len({id(one) for one in told}) == 1
        assert repr(world.watching) == "<Watching 100 watch, 4 seen>"

    asyncio.run(play())


def test_where_nothing_can_be_seen_who_watches_hears_why() -> None:
    async def play() -> None:
        world = World()
        world.error = RuntimeError("blind")
        with pytest.raises(RuntimeError, match="blind"):
            await anext(world.watching.follow())
        world.error = None
        assert await read(world.watching.follow()) == ("overview", 0)

    asyncio.run(play())


def test_who_watches_is_sent_away_at_the_end() -> None:
    async def play() -> None:
        world = World()
        one, other = world.watching.follow(), world.watching.follow()
        assert await read(one) == await read(other) == ("overview", 0)
        waits = asyncio.ensure_future(anext(one, b"over"))
        await asyncio.sleep(0)
        world.is_ending = True
        await world.pass_by(1)
        assert await waits == await anext(other, b"over") == b"over"
        assert repr(world.watching) == "<Watching 0 watch, 1 seen>"

    asyncio.run(play())
