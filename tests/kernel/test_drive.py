import asyncio
from collections.abc import Callable
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import IllegalTransition
from attacca.kernel.clock import ManualClock
from attacca.kernel.drive import Drive, HandTimer, LoopTimer, each, raise_refused, report_refused
from attacca.kernel.timers import Alarm


class Counter:
    """A machine: of each number n it orders n, n - 1, ..., 1; it wants to be woken when `wakes` says so."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, int]] = []
        self.wakes: list[float] = []
        self.alarm = Alarm()

    def handle(self, now: float, event: int) -> list[int]:
        if event < 0:
            raise IllegalTransition(f"{event} is negative", "count from 0")
        self.heard.append((now, event))
        self.wakes = [at for at in self.wakes if at > now]
        self.alarm.at = min(self.wakes, default=inf)
        return list(range(event, 0, -1))


class Stage:
    def __init__(self, refused: Callable[[IllegalTransition], None] = raise_refused) -> None:
        self.machine = Counter()
        self.clock = ManualClock()
        self.timer = HandTimer()
        self.done: list[int] = []
        self.meanwhile: Callable[[int], None] = lambda command: None
        self.drive = Drive(
            self.machine.handle, self.machine.alarm, each(self._perform), self.clock.now, self.timer, 0, refused
        )

    def _perform(self, command: int) -> None:
        self.done.append(command)
        self.meanwhile(command)


def test_commands_are_carried_out_in_their_order() -> None:
    stage = Stage()
    stage.drive.feed(3)
    stage.clock.time = 7.0
    stage.drive.feed(1)
    assert stage.done == [3, 2, 1, 1]
    assert stage.machine.heard == [(0.0, 3), (7.0, 1)]


def test_what_arises_meanwhile_has_its_turn_after() -> None:
    stage = Stage()
    seen: list[str] = []

    def meanwhile(command: int) -> None:
        seen.append(repr(stage.drive))
        if command == 4:
            stage.drive.feed(2)
            assert stage.done == [4], "nothing happens inside the call"

    stage.meanwhile = meanwhile
    stage.drive.feed(4)
    assert stage.done == [4, 3, 2, 1, 2, 1]
    assert seen[0] == "<Drive 4 commands under way, rings at inf>"


@given(st.lists(st.integers(0, 5), max_size=6), st.dictionaries(st.integers(1, 5), st.integers(0, 4), max_size=4))
def test_it_comes_to_the_same_as_if_the_event_had_waited(events: list[int], meanwhile: dict[int, int]) -> None:
    """Against a dumb twin, which lets events wait in a queue."""
    stage, once = Stage(), dict(meanwhile)

    def feed(command: int) -> None:
        if command in once:
            stage.drive.feed(once.pop(command))

    stage.meanwhile = feed
    for event in events:
        stage.drive.feed(event)

    twin, done, left = Counter(), list[int](), dict(meanwhile)
    for event in events:
        queue = [event]
        while queue:
            for command in twin.handle(0.0, queue.pop(0)):
                done.append(command)
                if command in left:
                    queue.append(left.pop(command))
    assert stage.done == done
    assert stage.machine.heard == twin.heard


def test_what_was_decided_can_be_looked_at_first() -> None:
    stage = Stage()
    commands = stage.drive.decide(2)
    assert (commands, stage.done) == ([2, 1], [])
    stage.drive.carry_out(commands)
    assert stage.done == [2, 1]


def test_a_refused_event_is_reported_and_the_next_one_is_taken() -> None:
    refused: list[str] = []
    stage = Stage(lambda error: refused.append(error.message))
    stage.drive.feed(-1)
    stage.drive.feed(1)
    assert (refused, stage.done) == (["-1 is negative"], [1])
    with pytest.raises(IllegalTransition):
        Stage().drive.feed(-1)


def test_a_command_that_fails_stops_only_what_is_under_way() -> None:
    stage = Stage()

    def fail(command: int) -> None:
        raise OSError(command)

    stage.meanwhile = fail
    with pytest.raises(OSError, match="2"):
        stage.drive.feed(2)
    stage.meanwhile = lambda command: None
    stage.drive.feed(1)
    assert stage.done == [2, 1]


def test_the_one_timer_rings_for_the_earliest_wish() -> None:
    stage = Stage()
    stage.machine.wakes = [5.0]
    stage.drive.feed(0)
    assert (stage.timer.at, repr(stage.drive)) == (5.0, "<Drive 0 commands under way, rings at 5>")
    stage.machine.wakes = [5.0, 3.0]
    stage.drive.feed(0)
    assert stage.timer.at == 3.0
    stage.machine.wakes = [5.0]
    stage.drive.feed(0)
    assert stage.timer.at == 3.0, "too early does no harm, and costs less than to set it anew"
    stage.clock.time = 3.0
    stage.timer.ring()
    assert (stage.machine.heard[-1], stage.timer.at) == ((3.0, 0), 5.0)
    stage.clock.time = 5.0
    stage.timer.ring()
    assert (stage.machine.heard[-1], repr(stage.timer)) == ((5.0, 0), "<HandTimer inf>")
    stage.timer.ring()  # it was not set
    assert len(stage.machine.heard) == 5


def test_who_is_stopped_is_not_woken() -> None:
    stage = Stage()
    stage.machine.alarm.by(5.0)
    stage.drive.wind()
    stage.drive.stop()
    assert stage.timer.at == inf
    stage.drive.wind()
    assert stage.timer.at == 5.0


def test_a_live_timer_rings_on_the_loop_and_a_refusal_is_seen() -> None:
    seen: list[str] = []

    async def story() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: seen.append(context["message"]))
        timer, rang = LoopTimer(loop.time), asyncio.Event()
        assert repr(timer) == "<LoopTimer off>"

        def never() -> Any:
            raise AssertionError

        timer.set(loop.time() - 1.0, never)
        timer.set(loop.time() - 1.0, rang.set)
        assert (repr(timer), rang.is_set()) == ("<LoopTimer on>", False)
        await rang.wait()
        timer.set(loop.time(), never)
        timer.clear()
        report_refused(IllegalTransition("it is a bug", "report it"))

    asyncio.run(story())
    assert seen == ["it is a bug"]


def test_a_live_timer_that_its_loop_rings_early_waits_for_the_rest() -> None:
    rang = asyncio.Event()
    readings = iter([0.9996, 0.9998, 0.9998, 1.0])

    async def story() -> None:
        LoopTimer(lambda: next(readings)).set(1.0, rang.set)
        await rang.wait()

    asyncio.run(story())
    assert next(readings, None) is None, "it was early, and then it was not"
