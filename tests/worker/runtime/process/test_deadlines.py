"""Who was not ready in time, on a loop whose time a test says."""

import asyncio
from dataclasses import dataclass, field
from math import inf

from attacca.kernel.clock import ManualClock
from attacca.worker.runtime.process.deadlines import HEAR_S, Deadlines
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.untrusted import Failure
from tests.gateway.http.stage import HandLoop

OPTIONS = ProcessOptions(start_timeout_s=9.0, last_words_s=1.0)


@dataclass(eq=False)
class Parent:
    born_at: float = -inf


@dataclass(eq=False)
class Process:
    parent: Parent | None
    is_born: bool = False
    killed: list[str] = field(default_factory=list)

    def kill(self, why: str) -> None:
        self.killed.append(why)


@dataclass(eq=False)
class Made:
    process: Process
    fork_client: Parent = field(default_factory=Parent)
    timer: asyncio.TimerHandle | None = None
    failed: list[str] = field(default_factory=list)

    def fail(self, code: Failure, message: str) -> None:
        self.failed.append(code)


class House:
    def __init__(self) -> None:
        self.clock = ManualClock(1e3)
        self.loop = HandLoop(self.clock)
        self.template = Made(Process(None, is_born=True))
        self.deadlines = Deadlines(self.loop, OPTIONS, {"t": self.template})
        self.made = Made(Process(self.template.fork_client))
        self.deadlines.begin(self.made)

    def see_one_born(self) -> None:
        self.template.fork_client.born_at = self.clock.time

    def wait(self, seconds: float) -> None:
        self.clock.time += seconds
        self.loop.turn()


def test_who_waits_to_be_born_while_others_are_waits_on() -> None:
    house = House()
    for _ in range(20):
        house.wait(5.0)
        house.see_one_born()
    assert (house.made.failed, house.template.process.killed) == ([], [])


def test_a_template_that_makes_none_in_time_is_ended() -> None:
    house = House()
    house.wait(10.0)
    house.wait(HEAR_S)
    assert house.made.failed == ["timeout"]
    assert house.template.process.killed == ["it made no sandbox in time"]


def test_what_was_said_while_the_machine_stood_still_is_heard_first() -> None:
    house = House()
    house.wait(600.0)
    house.see_one_born()
    house.wait(HEAR_S)
    assert (house.made.failed, house.template.process.killed) == ([], [])


def test_an_import_that_takes_too_long_ends_nobody_else() -> None:
    house = House()
    house.made.process.is_born = True
    house.see_one_born()
    house.wait(10.0)
    house.wait(HEAR_S)
    assert house.made.failed == ["timeout"]
    assert house.made.process.killed
    assert not house.template.process.killed


def test_deadlines_say_how_long_they_are() -> None:
    assert repr(House().deadlines) == "<Deadlines of 10 s>"
