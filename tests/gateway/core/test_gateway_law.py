"""Whatever comes in whatever order: each is answered once."""

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.gateway.core.events import (
    Command,
    Drain,
)
from attacca.gateway.core.inflight import Inflight
from attacca.model.invocation import FunctionError, Ok
from attacca.model.messages import Deployed
from tests.drawing import several
from tests.gateway.core.test_gateway import LOST, stage
from tests.gateway.play import revision

KINDS = ("arrive", "arrive", "start", "head", "end", "leave", "give_up", "wait", "deploy", "drain")
OPS = several(list(product(KINDS, range(8))), max_size=60)


@settings(max_examples=2 * settings().max_examples)
@given(OPS, st.booleans())
def test_every_arrival_ends_in_exactly_one_answer(ops: list[tuple[str, int]], idempotent: bool) -> None:  # noqa: FBT001
    """Whatever the order of things: one answer each, the queue within its bound, and the counts add up."""
    play = Play(queue=3, wait_s=4.0, timeout_s=5.0, first_byte_s=2.0, idempotent=idempotent)
    for op, number in ops:
        play.do(op, number)
        play.check()
    play.now += 100.0
    play.g.tick(play.now)
    play.check()
    assert play.g.core.inflight == {}
    assert len(play.g.answered) == len(play.admitted)


class Play:
    def __init__(self, **settings_: Any) -> None:
        self.g = stage(**settings_)
        self.now = 0.0
        self.admitted: list[str] = []
        self.refused = 0
        self.generation = 1
        self.function = self.g.core.functions.by_name["f"]

    def do(self, op: str, number: int) -> None:
        g, now = self.g, self.now
        name = self.admitted[-1 - number] if number < len(self.admitted) else "nobody"
        inflight = g.core.inflight.get(name)
        match op:
            case "arrive":
                self.arrive()
            case "start":
                g.start(now, name)
            case "head":
                g.head(now, name)
            case "end":
                g.end(now, (Ok(), FunctionError("E", "m"), LOST)[number % 3], name, 1.0)
            case "wait":
                self.now += number / 2
                g.tick(self.now)
            case _:
                self.disturb(op, number, inflight)

    def disturb(self, op: str, number: int, inflight: Inflight | None) -> list[Command]:
        g, now = self.g, self.now
        match op:
            case "leave" if inflight is not None:
                return g.leave(now, inflight, can_finish=number % 2 == 0)
            case "give_up" if inflight is not None:
                return g.give_up(now, inflight)
            case "deploy":
                self.generation += 1
                like = self.function
                new = revision("f", self.generation, queue=3, wait_s=4.0 + number, idempotent=like.is_idempotent)
                return g.tell(now, Deployed(self.generation, new))
            case "drain" if number == 7:
                return g.tell(now, Drain())
            case _:
                return []

    def arrive(self) -> None:
        name = f"{len(self.admitted)}"
        if self.g.invoke(self.now, name).taken is None:
            self.refused += 1
        else:
            self.admitted.append(name)

    def check(self) -> None:
        inflight = list(self.g.core.inflight.values())
        again = sum(bool(one.lost) for one in inflight)
        assert self.function.waiting <= 3 + again
        assert self.function.statistics.taken == len(self.admitted)
        assert self.function.statistics.refused == self.refused
        assert len(self.function.recent) <= 5
