"""Small parts for the simulator's tests: scenarios of one line, and runs of them that are checked after every event."""

from typing import Any

from attacca.kernel.clock import ManualClock
from attacca.load.workload.scenario import (
    Choice,
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
from attacca.sim.run import Options, Outcome, run

NOTHING = Distribution()
INSTANT = Hardware(
    sandbox=NOTHING, template=NOTHING, code=NOTHING, imports=NOTHING, overhead=NOTHING, network=NOTHING, fetch=NOTHING
)


def exponential(mean_ms: float) -> Distribution:
    return Distribution(kind="exponential", mean_ms=mean_ms)


def function(name: str = "f", rate: float = 1.0, duration: Distribution = NOTHING, **more: Any) -> FunctionPlan:
    return FunctionPlan(name=name, shape=Shape(rate=rate), duration=duration, **more)


def system(limit: int = 64, idle_s: float = 1e6, **more: Any) -> System:
    """Room for everything, unless told otherwise."""
    settings: dict[str, Any] = {
        "memory_mb": 1 << 20,
        "concurrency": Choice(policy="fixed", options={"count": limit}),
        "keepalive": Choice(policy="ttl", options={"idle_s": idle_s}),
        "templates": False,
    }
    return System(**(settings | more))


def scenario(
    *functions: FunctionPlan,
    length_s: float,
    hardware: Hardware = INSTANT,
    seed: int = 1,
    faults: tuple[Fault, ...] = (),
    workload: Workload | None = None,
    **more: Any,
) -> Scenario:
    return Scenario(
        name="play",
        seed=seed,
        workload=workload or Workload(duration_s=length_s, drain_s=1000.0),
        functions=functions,
        system=system(**more),
        hardware=hardware,
        faults=faults,
        record=Record(sample_s=length_s, invocations=False),
    )


def play(one: Scenario, **options: Any) -> Outcome:
    return run(one, ManualClock(), Options(**{"checks": "all", **options}))


def play_quick(one: Scenario) -> Outcome:
    """For laws of large numbers: what must always hold is checked by others."""
    return play(one, checks="off")
