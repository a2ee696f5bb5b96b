"""One gateway and many workers, of which anything may become at any moment."""

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.inflight import Inflight
from attacca.gateway.core.retries import Order, Send
from attacca.kernel.rand import Streams
from attacca.model.function import Revision
from attacca.model.invocation import Failed, FunctionError, Ok, Request, Start, Timing
from attacca.model.messages import (
    Catalogue,
    Deleted,
    Deployed,
    Dispatch,
    Ended,
    Heartbeat,
    ResponseHead,
    Started,
    Withdraw,
    WorkerJoined,
    WorkerLeft,
)
from attacca.policy.balancing import BALANCING
from tests.drawing import several
from tests.gateway.core.test_workers import view
from tests.gateway.play import Waiter, revision

OUTCOMES = (Ok(), FunctionError("E", "m"), Failed("sandbox_lost", "m"), Failed("draining", "m"))
SETTINGS: dict[str, Any] = {"queue": 4, "wait_s": 6.0, "timeout_s": 5.0, "first_byte_s": 3.0}
KINDS = (
    *("arrive", "arrive", "arrive", "start", "start", "end", "head", "leave", "give_up"),
    *("wait", "wait", "joined", "left", "left", "beat", "drains", "deploy", "delete"),
)
OPS = several(list(product(KINDS, range(8))), min_size=20, max_size=60)


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
        getattr(play, op)(number)
        play.check()
    for _ in range(40):
        play.wait(4)
        play.check()
    assert play.gate.taken == {}
    assert play.gate._losses.moved == {}
    assert all(count == 1 for count in play.answers.values())


class Play:
    """Messages of workers name any attempt that there ever was, the latest first."""

    def __init__(self, policy: str, *, idempotent: bool) -> None:
        balancer = BALANCING[policy]().fresh(Streams(1).stream("balancing"))
        self.gate = GatewayCore(5, balancer, silent_s=3.0, attempts=3)
        self.idempotent = idempotent
        self.now = 0.0
        self.generation = 1
        self.gate.learn(Catalogue(1, (self.revision(),)))
        self.answers: dict[str, int] = {}
        self.attempts: list[str] = []
        self.began: dict[str, None] = {}  # invocations of which the gateway knows that they were started
        self.joined(0)
        self.joined(1)

    def revision(self) -> Revision:
        return revision("f", self.generation, idempotent=self.idempotent, **SETTINGS)

    # What happens.

    def arrive(self, number: int) -> None:
        name = f"{len(self.answers)}"
        order = self.gate.arrive(self.now, self.now, name, "f", Request(more=number == 0), Waiter())
        if isinstance(order, Dispatch):
            self.answers[name] = 0
            self.sent(order)

    def start(self, number: int) -> None:
        taken = self.gate.started(self.now, Started(self.attempt(number // 2), "s", Start.WARM, "", Timing()))
        if taken is not None:
            self.began[taken.id] = None

    def head(self, number: int) -> None:
        self.gate.head(ResponseHead(self.attempt(number), 200, ()))

    def end(self, number: int) -> None:
        ended = self.gate.ended(self.now, Ended(self.attempt(number // 4), OUTCOMES[number % 4], 1.0))
        if isinstance(ended, Inflight):
            self.answered(ended)
        elif ended is not None:
            self.sent(ended)

    def leave(self, number: int) -> None:
        taken = self.gate.taken.get(self.attempt(number // 2))
        if taken is not None:
            self.gate.leave(taken, can_finish=number % 2 == 0)

    def give_up(self, number: int) -> None:
        taken = self.gate.taken.get(self.attempt(number))
        if taken is not None and self.gate.give_up(self.now, taken, Failed("bad_response", "m")) is not None:
            self.answered(taken)

    def joined(self, number: int) -> None:
        self.carry_out(self.gate.joined(self.now, WorkerJoined(view("abc"[number % 3]))))

    def left(self, number: int) -> None:
        self.carry_out(self.gate.left(self.now, WorkerLeft("abc"[number % 3])))

    def beat(self, number: int) -> None:
        self.carry_out(self.gate.heard(self.now, Heartbeat(view("abc"[number % 3]))))

    def drains(self, number: int) -> None:
        self.carry_out(self.gate.heard(self.now, Heartbeat(view("abc"[number % 3], draining=True))))

    def deploy(self, _: int) -> None:
        self.generation += 1
        self.gate.learn(Deployed(self.generation, self.revision()))

    def delete(self, number: int) -> None:
        if number == 0:
            self.generation += 1
            self.gate.learn(Deleted(self.generation, "f"))

    def wait(self, number: int) -> None:
        self.now += number / 4
        for end in self.gate.expire(self.now):
            self.answered(end.taken)
        self.carry_out(self.gate.silent(self.now))

    # What comes of it.

    def attempt(self, number: int) -> str:
        return self.attempts[-1 - number] if number < len(self.attempts) else "nobody"

    def carry_out(self, orders: list[Order]) -> None:
        for order in orders:
            if isinstance(order, Send):
                assert order.worker in self.gate.workers.by_name
                if isinstance(order.message, Withdraw):
                    assert order.message.id not in self.gate.taken
                else:
                    assert order.message.worker == order.worker
                    self.sent(order.message)
            else:
                self.answered(order.taken)

    def sent(self, order: Dispatch) -> None:
        key = order.invocation.id
        assert key not in self.attempts, "each attempt has a name of its own"
        taken = self.gate.taken[key]
        assert (order.worker, self.answers[taken.id]) == (taken.worker, 0)
        if taken.id in self.began:
            assert self.idempotent, "what may have run is not run again"
            assert not taken.has_head
            assert not taken.more
        assert taken.attempts <= 3
        self.attempts.append(key)

    def answered(self, taken: Inflight) -> None:
        assert taken.is_done
        self.answers[taken.id] += 1
        assert self.answers[taken.id] == 1

    def check(self) -> None:
        gate, open_ = self.gate, list(self.gate.taken.values())
        links = [*gate.workers.by_name.values(), gate._losses._nowhere]
        for link in links:
            theirs = [taken for taken in open_ if taken.link is link]
            assert link.queued == sum(taken.start is None for taken in theirs)
            assert link.running == sum(taken.start is not None for taken in theirs)
        assert all(any(taken.link is link for link in links) for taken in open_), "nobody waits for one who is gone"
        function = gate.functions.by_name.get("f")
        if function is not None:
            theirs = [taken for taken in open_ if taken.function is function]
            assert function.waiting == sum(taken.start is None for taken in theirs)
            assert function.running == sum(taken.start is not None for taken in theirs)
        assert all(gate.taken[taken.key] is taken for taken in open_)
