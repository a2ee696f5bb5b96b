"""What a keep-alive policy may ask of its worker: a timer, sandboxes ahead of need, and to hear of what begins."""

from collections.abc import Callable

import msgspec
import pytest

from attacca.policy.keepalive.lru import LruState
from attacca.policy.keepalive.types import Ahead, Expiry, House, Idle, Use
from attacca.worker.config import WorkerConfig
from attacca.worker.core.events import MakeSandbox
from tests.worker.stage import Stage

BARE = WorkerConfig(memory_mb=500, templates=False)


class Asking(LruState):
    __slots__ = ("answer", "heard", "house", "stay_s")

    def __init__(self, house: House) -> None:
        self.house = house
        self.heard: list[object] = []
        self.answer: Callable[[float], list[Ahead]] = lambda now: []
        self.stay_s: float | None = None

    def became_idle(self, now: float, idle: Idle) -> Expiry | None:
        return None if self.stay_s is None else Expiry(now + self.stay_s, "told so")

    def prewarm_at(self, now: float, function: str) -> Expiry | None:
        return Expiry(now + 5.0, "three at once", 3)

    def made(self, now: float, function: str) -> None:
        self.heard.append(("made", function))

    def began(self, now: float, use: Use) -> None:
        self.heard.append(("began", use.function, use.start, use.pended))

    def woke(self, now: float) -> list[Ahead]:
        self.heard.append(("woke", now))
        return self.answer(now)


class Policy(msgspec.Struct, frozen=True):
    def fresh(self, house: House) -> Asking:
        return Asking(house)


def stage() -> tuple[Stage, Asking]:
    made = Stage(BARE, keepalive=Policy())
    state = made.core.pool.keepalive
    assert isinstance(state, Asking)
    return made, state


def test_it_hears_of_what_is_made_and_of_what_begins() -> None:
    one, state = stage()
    echo = one.deploy("echo")
    one.send(echo)
    one.play(1)
    one.send(echo)
    one.play(1)
    assert state.heard == [("made", "echo"), ("began", "echo", "cold", True), ("began", "echo", "warm", False)]


def test_it_is_woken_when_it_asked_and_the_last_word_counts() -> None:
    one, state = stage()
    state.house.wake_at(3.0)
    state.house.wake_at(7.0)
    one.play(10)
    assert state.heard == [("woke", pytest.approx(7.0))]
    state.house.wake_at(20.0)
    state.house.wake_at(float("inf"))
    one.play(20)
    assert len(state.heard) == 1


def test_one_that_asks_for_now_again_and_again_does_not_hold_the_world_up() -> None:
    one, state = stage()

    def again(now: float) -> list[Ahead]:
        state.house.wake_at(float("nan") if len(state.heard) % 2 else now)
        return []

    state.answer = again
    state.house.wake_at(0.0)
    one.play(0.01)
    assert 5 <= len(state.heard) <= 20


def test_as_many_as_it_wants_and_memory_is_free_for() -> None:
    one, state = stage()
    one.deploy("echo")
    state.answer = lambda now: [Ahead("echo", 2, "soon"), Ahead("nobody", 1, "never"), Ahead("echo", 9, "sooner")]
    state.house.wake_at(1.0)
    one.play(3)
    assert [made.why for made in one.all(MakeSandbox)] == ["soon"] * 2 + ["sooner"] * 3  # of 100 MB each
    assert state.house.pressure == 1.0
    assert state.heard == [("woke", pytest.approx(1.0))]


def test_several_are_made_before_an_arrival_that_is_expected() -> None:
    one, state = stage()
    state.stay_s = 2.0
    one.send(one.deploy("echo"))
    one.play(1)
    state.stay_s = None
    one.play(20)
    assert [made.why for made in one.all(MakeSandbox)][1:] == ["three at once"] * 3
    known = state.house.known("echo")
    assert known is not None
    assert (known.sandboxes, known.idle, known.invocations) == (3, 3, 1)
