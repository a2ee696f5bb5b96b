"""In which order a forking process is moved ahead of its children, with groups that only remember."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from attacca.worker.host.cgroups import Group
from attacca.worker.runtime.process.cgroup_slot import Cradle
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


class Nursery:
    """A cradle, who was born in it, and the process that lies there."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.hand, self.paper = loop, Hand(), Paper()
        loop.set_default_executor(self.hand)
        self.births: list[list[Group | None]] = []
        self.spent: list[Group] = []
        self.is_settled = False
        self.cradle = Cradle(self.paper.make, self.spent.append)

    def order(self) -> None:
        told: list[Group | None] = []
        self.births.append(told)

        def born(group: Group | None) -> None:
            assert group is None or self.paper.where.get(PID) is group, "its parent is where it is to be born"
            told.append(group)

        self.cradle.next(born)

    def settle(self) -> None:
        if not self.is_settled:
            self.is_settled = True
            self.cradle.settle(PID)

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


def visit(story: Callable[[Nursery], Awaitable[None]]) -> None:
    loop = Loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:

        async def main() -> None:
            await story(Nursery(loop))

        runner.run(main())


DOINGS = {
    "next": lambda nursery: nursery.order(),
    "made": lambda nursery: nursery.cradle.made(),
    "settle": lambda nursery: nursery.settle(),
    "moved": lambda nursery: nursery.hand_over(),
    "stuck": lambda nursery: nursery.hand_over("make"),
    "lost": lambda nursery: nursery.hand_over("add"),
    "later": lambda nursery: nursery.pass_by(1.0),
    "close": lambda nursery: nursery.cradle.close(),
}


@given(st.lists(st.sampled_from([*DOINGS, "next", "made", "moved"]), max_size=30))
@example(["made", "settle", "moved", "later", "moved"])
@example(["made", "settle"])
def test_every_birth_is_told_once_and_no_group_is_lost(doings: list[str]) -> None:
    async def story(nursery: Nursery) -> None:
        cradle = nursery.cradle
        for doing in doings:
            DOINGS[doing](nursery)
            await nursery.look()
            assert all(len(told) <= 1 for told in nursery.births)
        cradle.close()
        await nursery.finish()
        nursery.order()
        assert all(len(told) == 1 for told in nursery.births)
        assert nursery.births[-1] == [None], "it is closed"
        given = [group for [group] in nursery.births if group is not None]
        ended = [*given, *nursery.spent]
        assert sorted(map(repr, ended)) == sorted(map(repr, nursery.paper.made)), "each is somebody's, or spent"
        assert set(nursery.paper.where) <= {PID}
        await nursery.wait(1.0)
        assert nursery.hand.moves == []

    visit(story)


@given(st.integers(1, 5), st.booleans())
def test_whoever_is_ordered_is_born_in_the_order_of_asking(count: int, is_late: bool) -> None:  # noqa: FBT001 - drawn
    async def story(nursery: Nursery) -> None:
        if not is_late:
            nursery.cradle.settle(PID)
            await nursery.finish()
        for _ in range(count):
            nursery.order()
        if is_late:
            nursery.cradle.settle(PID)
            await nursery.finish()
        for number in range(count):
            assert [bool(told) for told in nursery.births] == [at <= number for at in range(count)]
            nursery.cradle.made()
            await nursery.finish()
        assert [group for [group] in nursery.births] == nursery.paper.made[:count]

    visit(story)


def test_a_group_ends_together_only_once_the_parent_has_left_it() -> None:
    async def story(nursery: Nursery) -> None:
        nursery.order()
        nursery.order()
        nursery.cradle.settle(PID)
        await nursery.finish()
        first, *_ = nursery.paper.made
        assert (nursery.births, first.is_united) == ([[first], []], False)
        nursery.cradle.made()
        await nursery.finish()
        _, second = nursery.paper.made
        assert (nursery.births, first.is_united, second.is_united) == ([[first], [second]], True, False)
        nursery.cradle.close()
        assert nursery.spent == [], "the second child has it"

    visit(story)


def test_it_leaves_a_while_after_a_birth_or_at_once_when_somebody_waits() -> None:
    async def story(nursery: Nursery) -> None:
        nursery.cradle.settle(PID)
        await nursery.finish()
        nursery.order()
        nursery.cradle.made()
        assert nursery.hand.moves == []
        await nursery.wait(1.0)
        assert len(nursery.hand.moves) == 1
        await nursery.finish()
        nursery.order()
        nursery.cradle.made()
        nursery.order()
        assert len(nursery.hand.moves) == 1

    visit(story)


@pytest.mark.parametrize("fails", ["make", "add", "unite"])
def test_where_it_cannot_be_moved_nobody_is_born_into_the_group_of_another(fails: str) -> None:
    """And the next one tries again: it may have been for a moment only."""

    async def story(nursery: Nursery) -> None:
        nursery.cradle.settle(PID)
        await nursery.finish()
        nursery.order()
        nursery.order()
        nursery.cradle.made()
        await nursery.finish(fails)
        assert nursery.births[1] == [None]
        nursery.order()
        await nursery.finish()
        assert nursery.births[2] == [nursery.paper.made[-1]]

    visit(story)


def test_without_cgroups_it_is_always_ready() -> None:
    told: list[Group | None] = []
    cradle = Cradle(None, lambda group: None)
    cradle.settle(PID)
    cradle.next(told.append)
    cradle.made()
    assert told == [None]


def test_it_says_how_it_is() -> None:
    async def story(nursery: Nursery) -> None:
        cradle = nursery.cradle
        assert repr(cradle) == "<Cradle left, 0 waiting>"
        cradle.settle(PID)
        nursery.order()
        assert repr(cradle) == "<Cradle moving, 1 waiting>"
        await nursery.finish()
        assert repr(cradle) == "<Cradle left, 0 waiting>"
        cradle.made()
        await nursery.wait(1.0)
        await nursery.finish()
        assert repr(cradle) == "<Cradle ready, 0 waiting>"
        cradle.close()
        assert repr(cradle) == "<Cradle closed, 0 waiting>"

    visit(story)


def test_it_is_a_group_on_paper() -> None:
    group: Group = Place(Paper(), "1")
    assert group.is_removed()
