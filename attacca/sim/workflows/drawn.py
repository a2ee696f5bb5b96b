"""Small domains drawn from a seed, with faults drawn too."""

from random import Random  # noqa: TID251 - a type only: the stream itself is the kernel's
from typing import Any, Final

from msgspec.structs import replace

from attacca.kernel.rand import Streams
from attacca.load.workload.scenario import (
    Choice,
    Distribution,
    Fault,
    Hardware,
    Record,
    Scenario,
    Shape,
    System,
    WorkflowPlan,
    Workload,
)
from attacca.policy.placement import PLACEMENT
from attacca.sim.workflows.faults import OF_DOMAINS
from attacca.sim.workflows.outside import RESTLESS

LENGTH_S: Final = 15.0
SEVERAL: Final = 0.3  # of all seeds have several domains
LONG_CUTS: Final = 0.5  # of these have portals that are cut off for long
HARMLESS: Final = (
    "slow_worker", "partition", "control_crash", "stuck_sandbox", "store_slow", "store_down", "unruly_function",
)  # fmt: skip
FAULTS: Final = (*HARMLESS, "worker_crash", "sandbox_crash", "cut_off", "deaf", "mute")


def draw(seed: int) -> Scenario:
    """Half of them have harmless faults alone, and so must lose and double nothing."""
    chance = Streams(seed).stream("swarm/workflows")
    kinds = HARMLESS if chance.random() < 0.5 else FAULTS
    drawn = Scenario(
        name=f"workflows-{seed}",
        seed=seed,
        workload=Workload(duration_s=LENGTH_S, drain_s=900.0),
        workflows=tuple(_plan(chance, number) for number in range(chance.randint(1, 3))),
        system=System(
            workers=chance.randint(1, 4),
            cores=chance.randint(1, 2),
            memory_mb=chance.choice((512, 4096)),
            placement=Choice(policy=chance.choice(list(PLACEMENT))),
            silent_s=chance.choice((2.0, 3.0)),
            cut_off_s=300.0 if kinds is HARMLESS else chance.choice((0.5, 2.0, 300.0)),
            outside=chance.choice(("", RESTLESS)),
            outside_every_s=chance.choice((0.1, 1.0)),
        ),
        hardware=Hardware(
            cpu=chance.choice(("none", "sharing")),
            network=chance.choice((Distribution(), Distribution(kind="exponential", mean_ms=20))),
            control=chance.choice((Distribution(), Distribution(kind="exponential", mean_ms=20))),
            store=chance.choice((Distribution(), Distribution(mean_ms=5))),
        ),
        faults=tuple(_fault(chance, kinds) for _ in range(chance.randint(0, 4))),
        record=Record(sample_s=5.0, invocations=False),
    )
    several = Streams(seed).stream("swarm/domains")
    if several.random() >= SEVERAL:
        return drawn
    return _with_long_cuts(Streams(seed).stream("swarm/cuts"), _of_several(several, drawn, kinds))


def _of_several(chance: Random, drawn: Scenario, kinds: tuple[str, ...]) -> Scenario:
    """The same workflows in several domains, among which they and their components are moved about."""
    domains = chance.randint(2, 3)
    kinds = ("portal_cut", "federation_crash") if kinds is HARMLESS else OF_DOMAINS
    faults = [_fault(chance, kinds) for _ in range(chance.randint(0, 3))]
    system = replace(
        drawn.system, domains=domains, workers=domains * chance.randint(1, 2), memory_mb=4096,
        outside=chance.choice(("", RESTLESS)), outside_every_s=chance.choice((0.3, 1.0, 3.0)),
    )  # fmt: skip
    return replace(drawn, system=system, faults=(*drawn.faults, *faults))


def _with_long_cuts(chance: Random, drawn: Scenario) -> Scenario:
    """While all of it is moved about, portals reach no other for about as long as an instance that moves waits for what
    it has sent, and for longer."""
    if chance.random() >= LONG_CUTS:
        return drawn
    cuts = [
        Fault(kind="portal_cut", rate=chance.choice((200, 1000)), for_s=chance.choice((8, 11, 14)))
        for _ in range(chance.randint(1, 3))
    ]
    system = replace(drawn.system, outside=RESTLESS, outside_every_s=chance.choice((0.3, 1.0, 3.0)))
    return replace(drawn, system=system, faults=(*drawn.faults, *cuts))


def _plan(chance: Random, number: int) -> WorkflowPlan:
    standby = chance.random() < 0.2
    return WorkflowPlan(
        name=f"w{number}",
        template=chance.choice(("chain", "calls", "map_reduce")),
        length=chance.randint(1, 5),
        width=chance.randint(1, 4),
        memory_mb=chance.choice((32, 64)),
        duration=Distribution(kind="exponential", mean_ms=chance.choice((0.2, 5, 50))),
        shape=Shape(kind=chance.choice(("poisson", "constant", "gamma")), rate=chance.choice((1, 5, 20)), cv=3.0),
        copies=chance.randint(1, 2),
        starts=Shape(rate=1.0) if chance.random() < 0.5 else None,
        replicas=1 if standby else chance.choice((1, 1, 2, 3)),
        standby=standby,
        syncs=chance.random() < 0.5,
        timeout_s=chance.choice((2.0, 30.0)),
        lifetime=Distribution(kind="exponential", mean_ms=8000) if chance.random() < 0.2 else None,
    )


def _fault(chance: Random, kinds: tuple[str, ...]) -> Fault:
    kind: Any = chance.choice(kinds)  # of those that a fault has
    return Fault(kind=kind, rate=chance.choice((200, 1000)), for_s=chance.choice((0.1, 2, 6)), factor=2.0)
