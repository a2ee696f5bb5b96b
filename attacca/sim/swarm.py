"""Small scenarios drawn from a seed, with faults drawn too: whatever they do, what must always hold does."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from random import Random  # noqa: TID251 - a type only: the stream itself is the kernel's
from typing import Final

import msgspec
from msgspec.structs import replace

from attacca.errors import AttaccaError
from attacca.kernel.clock import Clock
from attacca.kernel.rand import Streams
from attacca.load.workload.scenario import (
    Choice,
    Clients,
    Distribution,
    Fault,
    FunctionPlan,
    Hardware,
    Record,
    Scenario,
    Shape,
    System,
    Workload,
)
from attacca.policy.balancing import BALANCING
from attacca.policy.concurrency import CONCURRENCY
from attacca.policy.keepalive import KEEPALIVE
from attacca.policy.placement import PLACEMENT
from attacca.policy.queueing import QUEUEING
from attacca.policy.scaling import SCALING
from attacca.policy.slots import SLOTS
from attacca.sim.platform.gateway import Broken
from attacca.sim.run import Options, run

FAULTS: Final = (
    "worker_crash", "sandbox_crash", "slow_worker", "stuck_sandbox", "out_of_memory", "lost_message", "late_message",
    "partition", "clock_skew",
)  # fmt: skip
OF_PLANES: Final = ("worker_stop", "gateway_crash", "control_stop", "store_down", "store_slow")
BALANCERS: Final = [name for name in BALANCING if name != "own_first"]  # no process has a worker and a gateway
LENGTH_S: Final = 20.0
PATIENCE_S: Final = 15.0  # of every clock: whatever gets lost, an answer comes
AGAIN_EVERY: Final = 10  # of so many seeds one is run twice: the same seed must give the same events


class Found(msgspec.Struct, frozen=True):
    """A seed that broke something."""

    seed: int
    why: str
    trace: str


class Tally(msgspec.Struct):
    runs: int = 0
    invocations: int = 0
    events: int = 0
    faults: int = 0
    lost_messages: int = 0


def swarm(
    seeds: Sequence[int],
    clock: Clock,
    tally: Tally,
    tell: Callable[[Tally], None],
    draws: Callable[[int], Scenario] | None = None,
) -> Iterator[Found]:
    """`draws`: a seed's scenario, in place of one of functions."""
    for seed in seeds:
        found = _try((draws or draw)(seed), clock, tally)
        if found is not None:
            yield found
        tell(tally)


def _try(scenario: Scenario, clock: Clock, tally: Tally) -> Found | None:
    seed = scenario.seed
    options = Options(checks="all")
    try:
        outcome = run(scenario, clock, options)
        if outcome.totals.unanswered and not scenario.workflows:
            raise Broken(f"{outcome.totals.unanswered} invocations were never answered, though every clock has fired")
        if seed % AGAIN_EVERY == 0 and run(scenario, clock, options).hash != outcome.hash:
            raise Broken("the same seed has given other events")
    except (AssertionError, AttaccaError, ArithmeticError, Broken, LookupError, TypeError, ValueError) as error:
        return Found(seed, f"{type(error).__name__}: {error}", traceback.format_exc())
    tally.runs += 1
    tally.invocations += outcome.totals.invocations
    tally.events += outcome.events
    tally.faults += outcome.faults
    tally.lost_messages += outcome.lost_messages
    return None


def draw(seed: int) -> Scenario:
    """A few functions on a few workers with little memory, under policies and faults that chance picks."""
    chance, school = Streams(seed).stream("swarm"), Streams(seed).stream("swarm/school")
    planes = Streams(seed).stream("swarm/planes")
    return Scenario(
        name=f"swarm-{seed}",
        seed=seed,
        workload=Workload(
            duration_s=LENGTH_S,
            drain_s=20 * PATIENCE_S,
            clients=_clients(chance) if chance.random() < 0.3 else None,
        ),
        functions=tuple(_function(chance, number) for number in range(chance.randint(1, 4))),
        system=replace(_schooled(school, _system(chance)), controls=planes.choice((1, 1, 3))),
        hardware=replace(_hardware(chance), control=_control(school)),
        faults=(
            *(_fault(chance) for _ in range(chance.randint(0, 4))),
            *_of_control(school),
            *_of_planes(planes),
        ),
        record=Record(sample_s=5.0, invocations=False),
    )


def _clients(chance: Random) -> Clients:
    return Clients(count=chance.randint(1, 4), think=Distribution(kind="exponential", mean_ms=chance.choice((0, 200))))


def _function(chance: Random, number: int) -> FunctionPlan:
    return FunctionPlan(
        name=f"f{number}",
        memory_mb=chance.choice((32, 64, 128, 400)),
        duration=Distribution(kind="exponential", mean_ms=chance.choice((1, 50, 500))),
        cold=Distribution(kind="exponential", mean_ms=300) if chance.random() < 0.3 else None,
        shape=Shape(kind=chance.choice(("poisson", "constant", "gamma")), rate=chance.choice((0.3, 1, 4)), cv=3.0),
        concurrency=chance.choice((1, 1, 1, 3)),
        timeout_s=chance.choice((0.5, PATIENCE_S, PATIENCE_S)),
        wait_s=chance.choice((0.5, PATIENCE_S, PATIENCE_S)),
        queue=chance.choice((2, 1000, 1000)),
        idempotent=chance.random() < 0.5,
    )


def _system(chance: Random) -> System:
    keepalive = chance.choice(list(KEEPALIVE))
    return System(
        workers=chance.randint(1, 3),
        memory_mb=chance.choice((256, 512, 2048)),
        cores=chance.randint(1, 4),
        queueing=Choice(policy=chance.choice(list(QUEUEING))),
        concurrency=Choice(policy=chance.choice(list(CONCURRENCY)), options={"count": chance.choice((1, 2, 16))}),
        keepalive=Choice(policy=keepalive, options={"idle_s": chance.choice((0, 1, 30))} if keepalive == "ttl" else {}),
        balancing=Choice(policy=chance.choice(BALANCERS)),
        templates=chance.random() < 0.5,
    )


def _schooled(chance: Random, system: System) -> System:
    """Half of them are scheduled by control."""
    return replace(
        system,
        mode=chance.choice(("worker", "cluster")),
        gateways=chance.choice((1, 1, 3)),
        scaling=_scaling(chance),
        placement=Choice(policy=chance.choice(list(PLACEMENT))),
        slots=Choice(policy=chance.choice(list(SLOTS))),
    )


def _scaling(chance: Random) -> Choice:
    policy = chance.choice(list(SCALING))
    minutes = {"least_min": 2, "history_min": 2} if policy == "predictive" else {}  # a run is not an hour
    return Choice(policy=policy, options={"count": 2} if policy == "fixed" else dict(minutes))


def _of_control(chance: Random) -> tuple[Fault, ...]:
    if chance.random() < 0.7:
        return ()
    return (Fault(kind="control_crash", rate=chance.choice((200, 1000)), for_s=chance.choice((0.2, 2, 6))),)


def _of_planes(chance: Random) -> tuple[Fault, ...]:
    """What befalls gateways, the leader and the store, and workers that are stopped: in half of them nothing does."""
    if chance.random() < 0.5:
        return ()
    return tuple(
        Fault(kind=kind, rate=chance.choice((200, 1000)), for_s=chance.choice((0.2, 2, 6)), factor=0.5)
        for kind in OF_PLANES
        if chance.random() < 0.4
    )


def _control(chance: Random) -> Distribution:
    return chance.choice((Distribution(), Distribution(kind="exponential", mean_ms=20)))


def _hardware(chance: Random) -> Hardware:
    network = chance.choice((Distribution(), Distribution(kind="exponential", mean_ms=20)))
    return Hardware(
        cpu=chance.choice(("none", "sharing", "contended")),
        network=network,
        network_loss=chance.choice((0.0, 0.0, 0.01)),
        image_cache=chance.random() < 0.5,
        fetch=Distribution(mean_ms=chance.choice((0, 100))),
        memory_pressure=chance.choice((0.0, 0.5)),
    )


def _fault(chance: Random) -> Fault:
    return Fault(
        kind=chance.choice(FAULTS),
        rate=chance.choice((200, 1000)),
        for_s=chance.choice((0.2, 2, 6)),
        factor=chance.choice((1.5, 5)),
    )
