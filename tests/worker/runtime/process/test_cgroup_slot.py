"""In which order a forking process is moved ahead of its children, with groups that only remember."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from attacca.worker.host.cgroups import Group
from attacca.worker.runtime.process.cgroup_slot import CgroupSlot, Entry
from tests.worker.runtime.process.paper import Paper, Place

PID = 7


class Loop(asyncio.SelectorEventLoop):
    """Its time is what a test says."""

    now = 0.0

    def time(self) -> float:
        return self.now


class Hand(ThreadPoolExecutor):
    """Nothing that is to be done elsewhere is done before a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.moves: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, work: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.moves.append((future, lambda: work(*args, **more)))
        assert len(self.moves) == 1, "a process moves to one place at a time"
        return future

    def finish(self) -> None:
        if self.moves:
            future, work = self.moves.pop()
            future.set_result(work())


class Bedside:
    """A slot, who was born in it, and the process that lies there."""

    def __init__(self, loop: Loop, *, can_crowd: bool = False) -> None:
        self.loop, self.hand, self.paper = loop, Hand(), Paper()
        loop.set_default_executor(self.hand)
        self.births: list[list[Group | None]] = []
        self.spent: list[Group] = []
        self.is_settled = False
        self.slot = CgroupSlot(self.paper.make, self.spent.append, can_crowd=can_crowd)

    def order(self) -> None:
        told: list[Group | None] = []
        self.births.append(told)

        def born(entry: Entry) -> None:
            group, enters = entry
            is_there = self.paper.where.get(PID) is group
            assert group is None or is_there is not enters, "its parent is where it is born, or it goes there itself"
            assert not enters or self.paper.where[PID] not in [one for [one] in filter(None, self.births)]
            told.append(group)

        self.slot.next(born)

    def settle(self) -> None:
        if not self.is_settled:
            self.is_settled = True
            self.slot.settle(PID)

    def hand_over(self, fails: str = "") -> None:
        self.paper.fails = {fails}
        self.hand.finish()

    def pass_by(self, seconds: float) -> None:
        self.loop.now += seconds

    async def look(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    async def finish(self, fails: str = "") -> None:
        self.hand_over(fails)
        await self.look()

    async def wait(self, seconds: float) -> None:
        self.pass_by(seconds)
        await self.look()


def visit(story: Callable[[Bedside], Awaitable[None]], *, can_crowd: bool = False) -> None:
    loop = Loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:

        async def main() -> None:
            await story(Bedside(loop, can_crowd=can_crowd))

        runner.run(main())


DOINGS = {
    "next": lambda bedside: bedside.order(),
    "made": lambda bedside: bedside.slot.made(),
    "settle": lambda bedside: bedside.settle(),
    "moved": lambda bedside: bedside.hand_over(),
    "stuck": lambda bedside: bedside.hand_over("make"),
    "lost": lambda bedside: bedside.hand_over("add"),
    "later": lambda bedside: bedside.pass_by(1.0),
    "close": lambda bedside: bedside.slot.close(),
}


@given(doings=st.lists(st.sampled_from([*DOINGS, "next", "made", "moved"]), max_size=30), can_crowd=st.booleans())
@example(doings=["made", "settle", "moved", "later", "moved"], can_crowd=False)
@example(doings=["made", "settle"], can_crowd=False)
@example(doings=["settle", "moved", "next", "next", "made", "moved", "next", "later", "later", "moved"], can_crowd=True)
def test_every_birth_is_told_once_and_no_group_is_lost(doings: list[str], can_crowd: bool) -> None:  # noqa: FBT001 - drawn
    async def story(bedside: Bedside) -> None:
        slot = bedside.slot
        for doing in doings:
            DOINGS[doing](bedside)
            await bedside.look()
            assert all(len(told) <= 1 for told in bedside.births)
        slot.close()
        await bedside.finish()
        bedside.order()
        assert all(len(told) == 1 for told in bedside.births)
        assert bedside.births[-1] == [None], "it is closed"
        given = [group for [group] in bedside.births if group is not None]
        ended = [*given, *bedside.spent]
        assert sorted(map(repr, ended)) == sorted(map(repr, bedside.paper.made)), "each is somebody's, or spent"
        assert set(bedside.paper.where) <= {PID}
        await bedside.wait(1.0)
        assert bedside.hand.moves == []

    visit(story, can_crowd=can_crowd)


@given(st.integers(1, 5), st.booleans())
def test_whoever_is_ordered_is_born_in_the_order_of_asking(count: int, is_late: bool) -> None:  # noqa: FBT001 - drawn
    async def story(bedside: Bedside) -> None:
        if not is_late:
            bedside.slot.settle(PID)
            await bedside.finish()
        for _ in range(count):
            bedside.order()
        if is_late:
            bedside.slot.settle(PID)
            await bedside.finish()
        for number in range(count):
            assert [bool(told) for told in bedside.births] == [at <= number for at in range(count)]
            bedside.slot.made()
            await bedside.finish()
        assert [group for [group] in bedside.births] == bedside.paper.made[:count]

    visit(story)


def test_many_are_born_where_nobody_lives_and_enter_their_groups_themselves() -> None:
    """Nobody waits until others were born, and the process goes on to the next one's group when no more come."""

    async def story(bedside: Bedside) -> None:
        bedside.slot.settle(PID)
        await bedside.finish()
        for _ in range(4):
            bedside.order()
        bedside.slot.made()
        await bedside.finish()
        first, nursery, *others = bedside.paper.made
        assert bedside.births == [[first], *([other] for other in others)]
        assert len(others) == 3
        assert all(one.is_united for one in (first, *others)), "who forks them is in none"
        assert bedside.paper.where[PID] is nursery
        bedside.order()
        assert [len(told) for told in bedside.births] == [1] * 5
        for _ in range(3):
            await bedside.wait(1.0)
        assert bedside.hand.moves == [], "not all of them are there"
        for _ in range(4):
            bedside.slot.made()
        await bedside.wait(1.0)
        await bedside.finish()
        assert bedside.paper.where[PID] is bedside.paper.made[-1]
        assert repr(bedside.slot) == "<CgroupSlot ready, 0 waiting>"
        for _ in range(2):
            bedside.order()
        bedside.slot.made()
        await bedside.finish()
        assert bedside.paper.where[PID] is nursery, "it has one for good"
        assert [len(told) for told in bedside.births] == [1] * 7
        bedside.slot.close()
        assert bedside.spent == [nursery]

    visit(story, can_crowd=True)


@pytest.mark.parametrize("fails", ["make", "unite"])
def test_in_a_crowd_who_has_no_group_is_not_born(fails: str) -> None:
    async def story(bedside: Bedside) -> None:
        bedside.slot.settle(PID)
        await bedside.finish()
        for _ in range(2):
            bedside.order()
        bedside.slot.made()
        await bedside.finish()
        bedside.paper.fails = {fails}
        bedside.order()
        assert bedside.births[2] == [None]
        bedside.paper.fails = set()
        bedside.order()
        assert bedside.births[3] == [bedside.paper.made[-1]]

    visit(story, can_crowd=True)


def test_a_group_ends_together_only_once_the_parent_has_left_it() -> None:
    async def story(bedside: Bedside) -> None:
        bedside.order()
        bedside.order()
        bedside.slot.settle(PID)
        await bedside.finish()
        first, *_ = bedside.paper.made
        assert (bedside.births, first.is_united) == ([[first], []], False)
        bedside.slot.made()
        await bedside.finish()
        _, second = bedside.paper.made
        assert (bedside.births, first.is_united, second.is_united) == ([[first], [second]], True, False)
        bedside.slot.close()
        assert bedside.spent == [], "the second child has it"

    visit(story)


def test_it_leaves_a_while_after_a_birth_or_at_once_when_somebody_waits() -> None:
    async def story(bedside: Bedside) -> None:
        bedside.slot.settle(PID)
        await bedside.finish()
        bedside.order()
        bedside.slot.made()
        assert bedside.hand.moves == []
        await bedside.wait(1.0)
        assert len(bedside.hand.moves) == 1
        await bedside.finish()
        bedside.order()
        bedside.slot.made()
        bedside.order()
        assert len(bedside.hand.moves) == 1

    visit(story)


@pytest.mark.parametrize("fails", ["make", "add", "unite"])
def test_where_it_cannot_be_moved_nobody_is_born_into_the_group_of_another(fails: str) -> None:
    """And the next one tries again: it may have been for a moment only."""

    async def story(bedside: Bedside) -> None:
        bedside.slot.settle(PID)
        await bedside.finish()
        bedside.order()
        bedside.order()
        bedside.slot.made()
        await bedside.finish(fails)
        assert bedside.births[1] == [None]
        bedside.order()
        await bedside.finish()
        assert bedside.births[2] == [bedside.paper.made[-1]]

    visit(story)


def test_without_cgroups_it_is_always_ready() -> None:
    told: list[Entry] = []
    slot = CgroupSlot(None, lambda group: None)
    slot.settle(PID)
    slot.next(told.append)
    slot.made()
    assert told == [Entry(None)]


def test_it_says_how_it_is() -> None:
    async def story(bedside: Bedside) -> None:
        slot = bedside.slot
        assert repr(slot) == "<CgroupSlot left, 0 waiting>"
        slot.settle(PID)
        bedside.order()
        assert repr(slot) == "<CgroupSlot moving, 1 waiting>"
        await bedside.finish()
        assert repr(slot) == "<CgroupSlot left, 0 waiting>"
        slot.made()
        await bedside.wait(1.0)
        await bedside.finish()
        assert repr(slot) == "<CgroupSlot ready, 0 waiting>"
        for _ in range(2):
            bedside.order()
        slot.made()
        await bedside.finish()
        assert repr(slot) == "<CgroupSlot crowded, 0 waiting>"
        slot.close()
        assert repr(slot) == "<CgroupSlot closed, 0 waiting>"

    visit(story, can_crowd=True)


def test_it_is_a_group_on_paper() -> None:
    group: Group = Place(Paper(), "1")
    assert group.is_removed()
