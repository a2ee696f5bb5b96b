"""Several simulated domains and their federation: components are moved about, and nothing is lost on the way."""

from typing import Any

import msgspec
import pytest

from attacca.errors import BadConfig
from attacca.kernel.clock import SystemClock
from attacca.load.records.recorder import NullRecorder
from attacca.load.workload.scenario import Scenario
from attacca.load.workload.schedule import Schedule
from attacca.sim.engine import Engine
from attacca.sim.record.event_log import EventLog
from attacca.sim.run import Options, Outcome, run
from attacca.sim.workflows.federated import Federated
from attacca.sim.workflows.world import WorkflowWorld
from tests.sim.workflows.test_world import ORCHESTRATOR

CHAIN = {"name": "chain", "length": 3, "duration": {"mean_ms": 2.0}, "shape": {"kind": "constant", "rate": 10.0}}


def scenario(*workflows: dict[str, Any], faults: Any = (), seed: int = 1, **more: Any) -> Scenario:
    system = {"workers": 2, "domains": 2, "outside": "restless", "outside_every_s": 0.7}
    told = {
        "name": "edge", "seed": seed, "workload": {"duration_s": 5.0, "drain_s": 60.0}, "workflows": workflows,
        "system": system | {"placement": {"policy": "round_robin"}} | more, "faults": faults,
        "hardware": {"network": {"mean_ms": 2.0}, "control": {"mean_ms": 1.0}, "store": {"mean_ms": 1.0}},
    }  # fmt: skip
    return msgspec.convert(told, Scenario)


def played(*workflows: dict[str, Any], faults: Any = (), seed: int = 1, **more: Any) -> Outcome:
    return run(scenario(*workflows, faults=faults, seed=seed, **more), SystemClock(), Options(checks="all"))


def test_components_move_between_domains_and_nothing_is_lost() -> None:
    for kind in ("portal_cut", "federation_crash", "control_crash"):
        faults = [{"kind": kind, "at_s": at, "for_s": 0.5} for at in (1.5, 3.5)]
        totals = played({**CHAIN, "syncs": True}, faults=faults).totals
        assert totals.ok == totals.invocations - totals.refused > 30, kind


def test_a_domain_that_dies_is_given_up_and_what_it_had_goes_on() -> None:
    fault = {"kind": "domain_crash", "at_s": 2.0, "for_s": 15.0}
    told = scenario(CHAIN, faults=[fault], seed=3)
    engine = Engine()
    world = WorkflowWorld(told, Schedule(told), NullRecorder(told, "simulated", 0.0), engine, EventLog(engine))
    world.run(None, lambda: engine.now > 20.0)
    federated = world.orchestrator
    assert isinstance(federated, Federated)
    assert federated.has_given_up
    assert {str(one.stage) for one in federated.core.workflows.values()} == {"up"}
    assert repr(federated) == "<Federated up: 2 domains, 1 links of portals>"
    assert repr(federated.control(0.9)) == "<DomainControl d1 up>"
    assert repr(federated.members["d0"]) == "<SimulatedMember <MemberCore d0: 0 begin, 0 left, 0 copied>, 0 asked>"
    assert repr(world.nodes["w0"].far).startswith("<Far <Ways to ")


def test_a_program_orchestrates_one_domain() -> None:
    with pytest.raises(BadConfig, match="a program orchestrates one domain"):
        played(CHAIN, outside=ORCHESTRATOR)
