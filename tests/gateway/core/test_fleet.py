"""One gateway and many workers, of which anything may become at any moment."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.gateway.core.events import Answer, Command
from attacca.kernel.rand import Streams
from attacca.model.function import Revision
from attacca.model.invocation import Failed, FunctionError, Ok, Outcome
from attacca.model.messages import (
    Deleted,
    Deployed,
    Dispatch,
    Heartbeat,
    Member,
    Members,
    Send,
    WorkerJoined,
    WorkerLeft,
)
from attacca.policy.balancing import BALANCING
from tests.drawing import several
from tests.gateway.play import revision, view
from tests.gateway.stage import Stage

OUTCOMES: tuple[Outcome, ...] = (
    Ok(),
    FunctionError("E", "m"),
    *(Failed(code, "m") for code in ("sandbox_lost", "draining", "not_found")),
)
SETTINGS: dict[str, Any] = {"queue": 4, "wait_s": 6.0, "timeout_s": 5.0, "first_byte_s": 3.0}
KINDS = (
    *("arrive", "arrive", "arrive", "start", "start", "end", "head", "leave", "give_up"),
    *("wait", "wait", "joined", "left", "left", "beat", "drains", "named", "deploy", "delete"),
)
OPS = several(list(product(KINDS, range(8))), min_size=20, max_size=60)


@pytest.mark.long
@settings(max_examples=4 * settings().max_examples)
@given(OPS, st.booleans(), st.sampled_from(sorted(BALANCING)))
def test_every_admitted_invocation_is_answered_exactly_once(
    ops: list[tuple[str, int]],
    idempotent: bool,  # noqa: FBT001
    policy: str,
) -> None:
    """Whatever workers join, leave, drain or fall silent, and whatever is said late or twice."""
    play = Play(policy, idempotent=idempotent)
    for op, number in ops:
        play.carry_out(getattr(play, op)(number))
    for _ in range(40):
        play.carry_out(play.wait(4))
    assert play.g.core.inflight == {}
    assert len(play.g.answered) == play.admitted


class Play:
    """Messages of workers name any attempt that there ever was, the latest first."""

    def __init__(self, policy: str, *, idempotent: bool) -> None:
        balancer = BALANCING[policy]().fresh(Streams(1).stream("balancing"))
        self.idempotent = idempotent
        self.generation = 1
        self.g = Stage(self.revision(), workers=("a", "b"), silent_s=3.0, balancer=balancer)
        self.now = 0.0
        self.admitted = 0
        self.attempts: dict[str, str] = {}  # by name: the worker that was told
        self.began: dict[str, None] = {}  # invocations of which the gateway knows that they were started

    def revision(self) -> Revision:
        return revision("f", self.generation, idempotent=self.idempotent, **SETTINGS)

    # What happens.

    def arrive(self, number: int) -> list[Command]:
        before = len(self.g.said)
        self.admitted += self.g.invoke(self.now, f"{self.admitted}", more=number == 0).taken is not None
        return self.g.said[before:]

    def start(self, number: int) -> list[Command]:
        name = self.attempt(number // 2)
        commands = self.g.start(self.now, name)
        inflight = self.g.core.inflight.get(name)
        if inflight is not None:
            self.began[inflight.id] = None
        return commands

    def head(self, number: int) -> list[Command]:
        return self.g.head(self.now, self.attempt(number))

    def end(self, number: int) -> list[Command]:
        return self.g.end(self.now, OUTCOMES[number % 5], self.attempt(number // 5), 1.0)

    def leave(self, number: int) -> list[Command]:
        inflight = self.g.core.inflight.get(self.attempt(number // 2))
        return [] if inflight is None else self.g.leave(self.now, inflight, can_finish=number % 2 == 0)

    def give_up(self, number: int) -> list[Command]:
        inflight = self.g.core.inflight.get(self.attempt(number))
        return [] if inflight is None else self.g.give_up(self.now, inflight)

    def joined(self, number: int) -> list[Command]:
        return self.g.tell(self.now, WorkerJoined(view("abc"[number % 3])))

    def left(self, number: int) -> list[Command]:
        return self.g.tell(self.now, WorkerLeft("abc"[number % 3]))

    def beat(self, number: int) -> list[Command]:
        return self.g.tell(self.now, Heartbeat(view("abc"[number % 3])))

    def drains(self, number: int) -> list[Command]:
        return self.g.tell(self.now, Heartbeat(view("abc"[number % 3], draining=True)))

    def named(self, number: int) -> list[Command]:
        return self.g.tell(self.now, Members(tuple(Member(name, "h:1") for name in "abc"[: number % 4])))

    def deploy(self, _: int) -> list[Command]:
        self.generation += 1
        return self.g.tell(self.now, Deployed(self.generation, self.revision()))

    def delete(self, number: int) -> list[Command]:
        if number:
            return []
        self.generation += 1
        return self.g.tell(self.now, Deleted(self.generation, "f"))

    def wait(self, number: int) -> list[Command]:
        self.now += number / 4
        return self.g.tick(self.now)

    # What comes of it.

    def attempt(self, number: int) -> str:
        names = list(self.attempts)
        return names[-1 - number] if number < len(names) else "nobody"

    def carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, Send) and isinstance(command.message, Dispatch):
                assert command.peer in self.g.core.workers.by_name
                self.sent(command.peer, command.message)
            elif isinstance(command, Answer):
                assert command.inflight.is_done

    def sent(self, worker: str, order: Dispatch) -> None:
        key = order.invocation.id
        assert self.attempts.get(key, worker) == worker, "what goes to another worker has another name"
        self.attempts[key] = worker
        inflight = self.g.core.inflight.get(key)
        if inflight is None:
            return
        assert inflight.worker == worker
        if inflight.id in self.began:
            assert self.idempotent, "what may have run is not run again"
            assert not inflight.has_head
            assert not inflight.more
        assert inflight.losses < 3
