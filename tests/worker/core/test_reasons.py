"""What each family of policies says reaches the record of the call that it decided on."""

from collections.abc import Callable

import pytest

from attacca.gateway.core.events import Arrived
from attacca.gateway.core.gateway import GatewayCore
from attacca.kernel.rand import Streams
from attacca.model.function import Revision
from attacca.model.invocation import Call, Request, Start, Why
from attacca.model.messages import Catalogue, Dispatch, Ended, Evict, Prewarm, Resting, Send, Started, WorkerJoined
from attacca.model.sandbox import WorkerView
from attacca.policy.balancing.round_robin import RoundRobin
from attacca.policy.balancing.types import Balancer
from attacca.policy.concurrency.aimd import Aimd
from attacca.policy.concurrency.bypass import Bypass
from attacca.policy.keepalive.lru import Lru
from attacca.policy.keepalive.ttl import Ttl
from attacca.policy.queueing.minheap import MinHeap
from attacca.worker.config import WorkerConfig
from attacca.worker.core import view
from attacca.worker.core.events import Measured, Received, ToPeer
from attacca.worker.runtime.scripted import Times
from tests.gateway.play import Waiter
from tests.worker.stage import GATEWAY, Stage

BARE = WorkerConfig(name="a", memory_mb=300, templates=False)
ONLY = "the only worker"
FIRST = "nobody was before it"


class Both(Stage):
    """A gateway core before the worker's: what the one says the other hears."""

    gate: GatewayCore

    def joined(self, balancer: Balancer | None = None, *others: WorkerView) -> "Both":
        self.gate = GatewayCore(99, balancer)
        for one in (view.of(self.core, 0.0), *others):
            self.gate.handle(0.0, WorkerJoined(one))
        self.known: dict[str, Revision] = {}
        return self

    def deploy(self, function: str, number: int = 1, **settings: object) -> Revision:
        found = self.known[function] = super().deploy(function, number, **settings)
        self.gate.handle(self.clock.now(), Catalogue(len(self.known), tuple(self.known.values())))
        return found

    def call(self, function: str, play_s: float = 0.0) -> str:
        self.sent += 1
        name = f"{function}-{self.sent}"
        now = self.clock.now()
        for command in self.gate.handle(now, Arrived(name, now, function, Request(b"x"), Waiter())):
            assert isinstance(command, Send)
            assert isinstance(command.message, Dispatch)
            self.tell(Received(GATEWAY, command.message))
        self.play(play_s)
        return name

    def _told(self, peer: str, message: ToPeer) -> None:
        super()._told(peer, message)
        if peer == GATEWAY:
            assert isinstance(message, Started | Ended | Resting)
            self.gate.handle(self.clock.now(), message)

    def of(self, name: str) -> Call:
        return next(call for call in self.gate.functions.calls(None, 99) if call.id == name)


def both(config: WorkerConfig = BARE, *, run_ms: float = 900.0, **more: object) -> Both:
    return Both(config, times=Times(run_ms=run_ms), **more).joined()  # type: ignore[arg-type]


def test_queueing_says_why_it_was_its_turn_and_what_it_waited_behind() -> None:
    stage = both(limit=1, queueing=MinHeap())
    stage.deploy("long")
    stage.deploy("short")
    stage.machine.times = Times(run_ms=50.0)
    stage.call("short", 2)
    stage.machine.times = Times(run_ms=900.0)
    running, unknown, short = stage.call("short"), stage.call("long"), stage.call("short")
    stage.play(9)
    assert stage.of(running).reasons.turn == FIRST
    slot = "for one of 1 slots (fixed begins so)"
    assert stage.of(unknown).reasons.turn == f"execution time not known yet; waited {slot}"
    assert stage.of(short).reasons.turn == f"shortest expected execution, 50 ms; waited behind 1 {slot}"
    assert (stage.of(short).why, stage.of(short).timing.queued > 0) == ("a slot was free", True)


def test_concurrency_says_which_limit_and_why() -> None:
    stage = both(concurrency=Aimd(count=1, max_load=0.5))
    stage.deploy("echo")
    stage.tell(Measured(9.0))
    first, second = stage.call("echo"), stage.call("echo")
    stage.play(9)
    assert stage.of(first).reasons.turn == FIRST
    assert stage.of(second).reasons.turn == "came first; waited for one of 1 slots (load per core above 0.5)"


def test_who_passes_the_limit_is_told_so() -> None:
    stage = both(concurrency=Bypass(count=1, below_s=0.5), run_ms=100.0)
    stage.deploy("echo", concurrency=2)
    stage.call("echo", 3)
    stage.call("echo")
    passed = stage.call("echo", 3)
    assert stage.of(passed).reasons.turn == "its function runs short enough to pass the limit"


def test_balancing_says_why_this_worker() -> None:
    stage = Both(BARE, times=Times(run_ms=9.0))
    other = WorkerView(name="b", capacity=BARE.resources, used=BARE.resources, queued=0, running=0, limit=4)
    stage.joined(RoundRobin().fresh(Streams(1).stream("balancing")), other)
    stage.deploy("echo")
    name = stage.call("echo", 3)
    assert stage.of(name).reasons == Why("first of this revision", FIRST, "its turn")


def expire(stage: Both) -> None:
    stage.play(99)


def evict(stage: Both) -> None:
    stage.deploy("large", memory_mb=300)
    stage.call("large", 5)


def order(stage: Both) -> None:
    stage.tell(Evict("echo"))
    stage.play(1)


@pytest.mark.parametrize(
    ("lose", "start"),
    [
        (expire, "expired 94 s ago: unused for 5 s"),
        (evict, "evicted 5.0 s ago for memory"),
        (order, "evicted 1.0 s ago by order"),
    ],
)
def test_keepalive_says_why_the_sandbox_was_gone(lose: Callable[[Both], None], start: str) -> None:
    stage = both(keepalive=Ttl(idle_s=5.0))
    stage.deploy("echo")
    stage.call("echo", 1)
    lose(stage)
    call = stage.of(stage.call("echo", 9))
    assert call.start is Start.COLD
    assert call.reasons.start == call.why == f"{start}; templates are off"


def test_keepalive_says_why_the_sandbox_was_there() -> None:
    stage = both(keepalive=Ttl(idle_s=60.0))
    stage.deploy("echo")
    stage.tell(Prewarm("echo", 1))
    stage.play(1)
    made, kept = stage.of(stage.call("echo", 5)), stage.of(stage.call("echo", 5))
    assert (made.why, kept.why) == ("ordered ahead", "a slot was free")
    assert made.reasons == Why("ordered ahead; keep-alive: unused for 60 s", FIRST, ONLY)
    assert kept.reasons == Why("a slot was free; keep-alive: unused for 60 s", FIRST, ONLY)
    plain = both(keepalive=Lru())
    plain.deploy("echo")
    plain.call("echo", 5)
    assert plain.of(plain.call("echo", 5)).reasons.start == "a slot was free"


def test_what_waits_for_a_sandbox_or_for_room_says_so() -> None:
    stage = both()
    stage.deploy("alone", max_sandboxes=1)
    first, second = stage.call("alone"), stage.call("alone", 5)
    stage.deploy("large", memory_mb=300)
    stage.call("alone")
    stage.call("alone")
    large = stage.call("large", 20)
    assert stage.of(first).reasons.turn == FIRST
    assert "waited for a sandbox: its function has all that it may have" in stage.of(second).reasons.turn
    turn = "came first; 1 before it cannot run; waited behind 1 for room for its sandbox"
    assert stage.of(large).reasons.turn == turn


def test_who_counted_on_an_old_revision_or_on_a_start_that_failed_is_told_so() -> None:
    stage = both(limit=1)
    stage.deploy("echo")
    stage.call("echo")
    waiting = stage.call("echo")
    stage.deploy("echo", 2)
    stage.play(20)
    assert stage.of(waiting).reasons.turn.startswith("its revision is not current any more: before the queue; waited")
