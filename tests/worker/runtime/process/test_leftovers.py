"""Groups that nobody of ours lives in any more, on paper and on a loop whose time a test says."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest

from attacca.worker.runtime.process.leftovers import FIRST_S, MOST_S, Leftovers
from tests.worker.runtime.process.paper import Paper, Place


class Loop(asyncio.SelectorEventLoop):
    now = 0.0

    def time(self) -> float:
        return self.now


class House:
    """`forkers` are ours; whoever else is killed is gone with the next look, unless it is `stubborn`."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.paper = loop, Paper()
        self.forkers: set[int] = set()
        self.stubborn: set[int] = set()
        self.killed: list[tuple[int, int]] = []
        self.groups: list[Place] = []
        self.looks: list[float] = []
        self.leftovers = Leftovers(self._ours, self._kill)

    def _ours(self) -> set[int]:
        self.looks.append(self.loop.now)
        return self.forkers

    def _kill(self, pid: int, number: int) -> None:
        self.killed.append((pid, number))
        if pid not in self.stubborn:
            for group in self.groups:
                group.living = [one for one in group.living if one != pid]

    def group(self, *living: int) -> Place:
        group = self.paper.make()
        group.living = list(living)
        self.groups.append(group)
        return group

    async def wait(self, seconds: float) -> None:
        end = self.loop.now + seconds
        while self.loop.now < end:
            self.loop.now += FIRST_S / 2
            await asyncio.sleep(0)
            await asyncio.sleep(0)


def visit(story: Callable[[House], Awaitable[None]]) -> None:
    loop = Loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:

        async def main() -> None:
            house = House(loop)
            await story(house)
            house.leftovers.close()

        runner.run(main())


def test_an_empty_one_is_removed_at_once() -> None:
    async def story(house: House) -> None:
        house.leftovers.add(house.group())
        assert repr(house.leftovers) == "<Leftovers 0>"
        await house.wait(5)
        assert house.looks == [], "and nobody looks again"

    visit(story)


def test_strays_are_ended_and_then_it_is_removed() -> None:
    async def story(house: House) -> None:
        house.leftovers.add(house.group(5, 6))
        assert house.killed == [(5, signal.SIGKILL), (6, signal.SIGKILL)]
        assert repr(house.leftovers) == "<Leftovers 1>"
        await house.wait(1)
        assert repr(house.leftovers) == "<Leftovers 0>"

    visit(story)


def test_those_of_ours_are_left_to_leave_by_themselves() -> None:
    async def story(house: House) -> None:
        house.forkers = {5}
        group = house.group(5, 6)
        house.leftovers.add(group)
        await house.wait(5)
        assert [pid for pid, _ in house.killed] == [6]
        assert repr(house.leftovers) == "<Leftovers 1>"
        house.forkers = set()
        await house.wait(5)
        assert [pid for pid, _ in house.killed] == [6, 5], "once it is no forker of ours it is a stray"
        assert repr(house.leftovers) == "<Leftovers 0>"

    visit(story)


@pytest.mark.long
def test_the_waits_grow_and_begin_anew_with_another() -> None:
    async def story(house: House) -> None:
        house.stubborn = {5}
        house.leftovers.add(house.group(5))
        await house.wait(20)
        waits = [after - before for before, after in zip(house.looks, house.looks[1:], strict=False)]
        wanted = [min(FIRST_S * 2**number, MOST_S) for number in range(len(waits))]
        assert len(waits) > 8
        assert waits == pytest.approx(wanted, abs=FIRST_S)
        house.looks.clear()
        house.leftovers.add(house.group(5))
        await house.wait(2 * FIRST_S)
        assert len(house.looks) == 2

    visit(story)


def test_who_cannot_be_ended_or_seen_does_not_keep_others_from_it() -> None:
    async def story(house: House) -> None:
        def kill(pid: int, number: int) -> None:
            house.killed.append((pid, number))
            raise ProcessLookupError

        house.leftovers = Leftovers(set, kill)
        house.leftovers.add(house.group(0, 5, 6))
        assert [pid for pid, _ in house.killed] == [5, 6]
        house.leftovers.close()
        await house.wait(5)
        assert len(house.killed) == 2, "it is closed"

    visit(story)
