"""Whoever orchestrates is away for a minute, far longer than anybody waits for it: nothing is made anew."""

from typing import Any

import msgspec
import pytest

from attacca.load.records.recorder import NullRecorder
from attacca.load.workload.scenario import Scenario
from attacca.load.workload.schedule import Schedule
from attacca.sim.engine import Engine
from attacca.sim.record.event_log import EventLog
from attacca.sim.workflows.check import WorkflowCheck
from attacca.sim.workflows.world import WorkflowWorld

AWAY_S = 60.0
COUNT = 5  # the first of the three has no replica
CHAIN = {
    "name": "chain", "length": 3, "replicas": 2, "syncs": True, "duration": {"mean_ms": 5.0},
    "shape": {"kind": "constant", "rate": 2.0},
}  # fmt: skip


def lived(faults: list[dict[str, Any]], **system: Any) -> tuple[WorkflowWorld, set[str]]:
    """All instances that there ever were."""
    told = {
        "name": "away", "seed": 1, "workload": {"duration_s": AWAY_S + 10.0, "drain_s": 60.0}, "workflows": [CHAIN],
        "system": {"workers": 4, "silent_s": 3.0, "placement": {"policy": "round_robin"}, **system}, "faults": faults,
        "hardware": {"network": {"mean_ms": 2.0}, "control": {"mean_ms": 1.0}, "store": {"mean_ms": 1.0}},
    }  # fmt: skip
    scenario = msgspec.convert(told, Scenario)
    engine = Engine()
    world = WorkflowWorld(scenario, Schedule(scenario), NullRecorder(scenario, "x", 0.0), engine, EventLog(engine))
    check, seen = WorkflowCheck(world), set[str]()

    def after() -> None:
        check.after()
        for node in world.nodes.values():
            seen.update(node.core.instances.by_id)

    world.run(after, check.is_settled)
    return world, seen


@pytest.mark.parametrize(("kind", "domains"), [("control_crash", 1), ("federation_crash", 2)])
def test_nothing_is_made_anew_where_it_is_back_after_a_minute(kind: str, domains: int) -> None:
    world, seen = lived([{"kind": kind, "at_s": 5.0, "for_s": AWAY_S}], domains=domains)
    assert world.faults.happened == 1
    assert len(seen) == COUNT, "the first ones, and no others"
    assert {part.instance for part in world.orchestrator.parts()} == seen
    totals = world.ledger.sum_up()
    assert totals.ok == totals.invocations - totals.refused >= 130, "nobody has noticed"


def test_a_node_that_ends_meanwhile_is_all_that_is_made_anew() -> None:
    away = {"kind": "control_crash", "at_s": 5.0, "for_s": AWAY_S}
    world, seen = lived([away, {"kind": "worker_crash", "at_s": 20.0, "for_s": 1.0, "worker": 1}])
    first = {name for name in seen if name.endswith(".1")}
    assert len(first) == COUNT
    assert 0 < len(seen - first) <= 2, "what that node had"
    assert {part.instance for part in world.orchestrator.parts()} >= seen - first
