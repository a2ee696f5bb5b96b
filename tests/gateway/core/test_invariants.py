"""The recount itself is checked: each of its sentences sees something that was broken on purpose."""

import ast
import traceback
from collections.abc import Callable
from math import inf

import pytest

from attacca.gateway.core import invariants
from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.inflight import NO_REQUEST, Inflight
from attacca.gateway.core.slots import Slots
from attacca.gateway.core.workers import WorkerHandle
from attacca.model.endpoints import NotBegun
from attacca.model.invocation import Ok, Start
from attacca.model.messages import WorkerLeft
from tests.gateway.core.clustered import endpoint
from tests.gateway.core.clustered import stage as clustered
from tests.gateway.play import revision
from tests.gateway.stage import Stage
from tests.written import source_of

Break = Callable[[GatewayCore], object]
SOURCE = source_of(invariants)


def busy() -> GatewayCore:
    """One waits and one runs on each of two workers, and one is over."""
    stage = Stage(revision("f", first_byte_s=2.0, idempotent=True), workers=("a", "b"), silent_s=9.0)
    for number in range(5):
        stage.admit(float(number), f"{number}")
    for name in "012":
        stage.start(5.0, name)
    stage.end(6.0, Ok(), "0")
    return stage.core


def alone() -> GatewayCore:
    """With no worker left, one waits for the next."""
    stage = Stage(revision("f"))
    stage.admit(0.0)
    stage.tell(1.0, WorkerLeft("worker"))
    return stage.core


def held() -> GatewayCore:
    """Of a function whose sandboxes control has made, one runs, one is sent, one is full, and two wait."""
    stage = clustered(endpoint("c1"), endpoint("c2"), endpoint("c3", "b"), workers=("worker", "b"), first_byte_s=2.0)
    for number in range(4):
        stage.admit(float(number), f"{number}")
    stage.start(4.0, "0")
    stage.tell(4.0, NotBegun("1", "c2", is_full=True))
    return stage.core


def rest() -> GatewayCore:
    """Nobody waits, and a slot is free."""
    return clustered(endpoint("c1"), endpoint("c2")).core


def slots(core: GatewayCore) -> Slots[Inflight]:
    return core.cluster.by_function["f"]


def taken(core: GatewayCore) -> Inflight:
    return next(one for one in core.inflight.values() if one.slot is not None)


def waiting(core: GatewayCore) -> Inflight:
    return next(one for one in core.inflight.values() if one.holder is core.cluster.nowhere)


def swap_slots(core: GatewayCore) -> None:
    one, other = (one for one in core.inflight.values() if one.slot is not None)
    one.slot, other.slot = other.slot, one.slot


def serve_two(core: GatewayCore) -> None:
    """As if the function had another name."""
    one = taken(core)
    assert one.slot is not None
    one.slot.endpoint = endpoint("c3", "b", function="g")


def take_while_waiting(core: GatewayCore) -> None:
    one = waiting(core)
    one.slot = taken(core).slot


def wait_beside_a_free_slot(core: GatewayCore) -> None:
    sandbox = next(iter(core.cluster.full.values()))
    sandbox.is_full = False
    core.cluster.full.clear()
    slots(core).free.add(sandbox)


def first(core: GatewayCore, start: Start | None = None) -> Inflight:
    return next(one for one in core.inflight.values() if one.start is start)


def put(owner: object, **what: object) -> None:
    for name, value in what.items():
        setattr(owner, name, value)


def wait_twice(core: GatewayCore) -> None:
    one = first(core)
    one.clocks.total.entries[one] = 99.0


def wait_out_of_order(core: GatewayCore) -> None:
    entries = first(core).clocks.wait.entries
    one, at = next(iter(entries.items()))
    del entries[one]
    entries[one] = at


def answer_early(core: GatewayCore) -> None:
    first(core).has_head = True


def forget_where(core: GatewayCore) -> None:
    one = first(core)
    one.holder = WorkerHandle(one.worker, 0.0)


def run_nowhere(core: GatewayCore) -> None:
    first(core).start = Start.WARM


BREAKS: list[tuple[Callable[[], GatewayCore], Break]] = [
    (busy, lambda core: put(first(core), key="another")),
    (busy, lambda core: put(first(core), is_done=True)),
    (busy, lambda core: put(first(core), request=NO_REQUEST)),
    (busy, answer_early),
    (busy, forget_where),
    (busy, lambda core: put(first(core), holder=core.retries.nowhere)),
    (alone, run_nowhere),
    (alone, lambda core: core.retries.held.clear()),
    (busy, lambda core: put(core.workers.by_name["a"], queued=7)),
    (busy, lambda core: put(core.workers.by_name["b"], running=0)),
    (busy, lambda core: put(core.workers, only=core.workers.by_name["a"])),
    (busy, lambda core: put(core.workers, all_drain=True)),
    (busy, lambda core: put(core.workers, silent_at=inf)),
    (busy, lambda core: put(core.functions.by_name["f"], waiting=0)),
    (busy, lambda core: put(core.functions.by_name["f"].statistics, taken=4)),
    (busy, lambda core: core.functions.by_name["f"].statistics.duration.add(1.0)),
    (busy, lambda core: core.functions.by_name["f"].recent.append(first(core))),
    (busy, wait_twice),
    (busy, lambda core: first(core, Start.WARM).clocks.total.entries.clear()),
    (busy, wait_out_of_order),
    (busy, lambda core: put(core.deadlines, next_at=inf)),
    (held, take_while_waiting),
    (held, lambda core: put(taken(core).slot, taken=0)),
    (held, lambda core: put(taken(core).slot, slots=None)),
    (held, serve_two),
    (held, swap_slots),
    (held, lambda core: slots(core).waiting.popitem()),
    (held, lambda core: core.cluster.by_sandbox.popitem()),
    (rest, lambda core: core.cluster.by_sandbox.popitem()),
    (rest, lambda core: core.cluster.by_worker["worker"].popitem()),
    (held, lambda core: core.cluster.full.clear()),
    (rest, lambda core: slots(core).free.discard("c1")),
    (held, wait_beside_a_free_slot),
    (rest, lambda core: put(core.cluster.by_sandbox["c1"], handle=WorkerHandle("worker", 0.0))),
    (rest, lambda core: put(core.functions.by_name["f"], slots=None)),
    (held, lambda core: put(slots(core), is_changed=False)),
    (held, lambda core: put(core.cluster, tell_at=inf)),
    (busy, lambda core: put(core.alarm, at=inf)),
]


def seen(make: Callable[[], GatewayCore], break_it: Break) -> int:
    """The line that saw it."""
    core = make()
    invariants.check(core)
    break_it(core)
    with pytest.raises(AssertionError) as caught:
        invariants.check(core)
    return next(
        frame.lineno
        for frame in reversed(traceback.extract_tb(caught.value.__traceback__))
        if str(SOURCE).endswith(frame.filename) and frame.lineno is not None
    )


@pytest.mark.long
def test_each_sentence_can_see() -> None:
    tree = ast.parse(SOURCE.read_text())
    sentences = {node.lineno: ast.unparse(node.test) for node in ast.walk(tree) if isinstance(node, ast.Assert)}
    lines = {seen(make, break_it) for make, break_it in BREAKS}
    blind = [text for line, text in sentences.items() if line not in lines]
    assert blind == []
