"""Simulated workflows: what comes to them gets through, whatever fails; the same seed gives the same run."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from attacca.errors import BadConfig
from attacca.kernel.clock import SystemClock
from attacca.kernel.rand import Streams
from attacca.load.records.recorder import NullRecorder
from attacca.load.workload.scenario import Choice, Hardware, Scenario, System, WorkflowPlan, Workload
from attacca.load.workload.schedule import Schedule
from attacca.sim.engine import Engine
from attacca.sim.record.event_log import EventLog
from attacca.sim.record.invocation import SimulatedInvocation
from attacca.sim.run import Options, Outcome, run
from attacca.sim.workflows.check import WorkflowCheck
from attacca.sim.workflows.outside import Program, Restless, outside
from attacca.sim.workflows.world import Crossing, WorkflowWorld

ORCHESTRATOR = str(Path(__file__).parents[3] / "examples/orchestrator/orchestrator.py")
CHAIN = {"name": "chain", "length": 3, "duration": {"mean_ms": 5.0}, "shape": {"kind": "constant", "rate": 5.0}}
REDUCE = {**CHAIN, "name": "reduce", "template": "map_reduce", "width": 2}


def played(*workflows: dict[str, Any], faults: Any = (), workers: int = 2, seed: int = 1, **more: Any) -> Outcome:
    told = {
        "name": "edge", "seed": seed, "workload": {"duration_s": 8.0, "drain_s": 10.0}, "workflows": workflows,
        "system": {"workers": workers, "placement": {"policy": "round_robin"}} | more, "faults": faults,
        "hardware": {"network": {"mean_ms": 2.0}, "control": {"mean_ms": 1.0}, "store": {"mean_ms": 1.0}},
    }  # fmt: skip
    return run(msgspec.convert(told, Scenario), SystemClock(), Options(checks="touched"))


def test_what_comes_to_a_chain_is_answered_by_its_last_function() -> None:
    outcome = played(CHAIN)
    totals = outcome.totals
    assert totals.invocations == totals.ok >= 35
    assert totals.p50_ms == pytest.approx(3 * 5.0 + 4 * 0.1 + 2 * 2.0, abs=1.0), "work, overheads, and two hops"


def test_a_reducer_waits_for_all_of_the_mappers() -> None:
    totals = played({**REDUCE, "copies": 2}).totals
    assert totals.invocations == totals.ok >= 70


def test_the_same_seed_gives_the_same_events() -> None:
    again = [played(CHAIN, REDUCE, seed=seed).hash for seed in (7, 7, 8)]
    assert again[0] == again[1] != again[2]


def test_a_workflow_lives_as_long_as_it_is_told_to() -> None:
    short = {**CHAIN, "copies": 2, "starts": {"kind": "constant", "rate": 1.0}, "lifetime": {"mean_ms": 2000.0}}
    totals = played(short).totals
    assert 15 <= totals.ok <= 20
    assert totals.failed == totals.unanswered == 0


def test_an_orchestrator_that_restarts_makes_nothing_anew() -> None:
    crash = {"kind": "control_crash", "at_s": 3.0, "for_s": 1.0}
    with_it, without = played(CHAIN, faults=[crash]), played(CHAIN)
    assert with_it.faults == 1
    assert with_it.totals.ok == without.totals.ok
    assert with_it.totals.max_ms == without.totals.max_ms, "nobody has noticed"


@pytest.mark.parametrize("kind", ["worker_crash", "sandbox_crash", "partition", "slow_worker"])
def test_it_goes_on_after_what_fails(kind: str) -> None:
    fault = {"kind": kind, "at_s": 2.0, "for_s": 2.0, "worker": 1}
    totals = played(CHAIN, faults=[fault], silent_s=1.0).totals
    assert totals.ok >= totals.invocations - 8, "what was being handled, and what found nobody"
    assert totals.ok > 25


@pytest.mark.parametrize(
    "kind", ["stuck_sandbox", "store_slow", "store_down", "unruly_function", "cut_off", "deaf", "mute"]
)
def test_what_does_no_harm_costs_nothing(kind: str) -> None:
    faults = [{"kind": kind, "at_s": at, "for_s": 0.5, "worker": at % 2} for at in (1, 2, 3, 4)]
    totals = played({**CHAIN, "syncs": True}, faults=faults).totals
    assert totals.ok == totals.invocations >= 35


def test_a_node_that_control_does_not_hear_is_given_up_and_its_instances_are_not_counted() -> None:
    fault = {"kind": "cut_off", "at_s": 2.0, "for_s": 4.0, "worker": 1}
    totals = played({**CHAIN, "standby": True}, faults=[fault], silent_s=1.5, workers=3).totals
    assert totals.ok > 25


def test_whose_place_another_has_goes_on_while_it_hears_nothing_also_where_control_dies() -> None:
    told = {
        "name": "deaf", "workload": {"duration_s": 8.0, "drain_s": 20.0}, "workflows": [CHAIN],
        "system": {"workers": 3, "silent_s": 1.5, "placement": {"policy": "round_robin"}, "cut_off_s": 300.0},
        "faults": [
            {"kind": "deaf", "at_s": 2.0, "for_s": 8.0, "worker": 1},
            {"kind": "control_crash", "at_s": 6.0, "for_s": 1.0},
        ],
    }  # fmt: skip
    assert run(msgspec.convert(told, Scenario), SystemClock(), Options(checks="all")).totals.ok > 25


def test_calls_are_answered_by_way_of_all_that_were_called() -> None:
    calls = {**CHAIN, "template": "calls"}
    totals = played(calls).totals
    assert totals.invocations == totals.ok >= 35
    assert totals.p50_ms == pytest.approx(3 * 5.0 + 3 * 0.1 + 2 * 2 * 2.0, abs=1.0), "work, and two hops each way"
    totals = played({**calls, "replicas": 2}).totals
    assert totals.invocations == totals.ok >= 35


def test_who_waits_too_long_for_a_reply_is_told() -> None:
    calls = {**CHAIN, "template": "calls", "length": 2, "timeout_s": 0.004}
    totals = played(calls).totals
    assert totals.failed == totals.invocations


def test_one_is_moved_by_a_program_from_outside() -> None:
    """The worked example, as it is."""
    heavy = {**CHAIN, "length": 2, "copies": 2, "duration": {"mean_ms": 60.0}}
    told: dict[str, Any] = {"outside": ORCHESTRATOR, "outside_every_s": 2.0}
    outcome = played(heavy, placement={"policy": "bin_packing"}, **told)
    assert outcome.totals.ok == outcome.totals.invocations
    assert outcome.hash != played(heavy, placement={"policy": "bin_packing"}).hash


def test_nobody_has_a_name_so_that_somebody_can_be_compared_with_nobody() -> None:
    assert outside("nobody", Streams(1).stream("outside")) is None
    assert outside("", Streams(1).stream("outside")) is None


def test_what_is_no_program_that_decides_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="there is no file"):
        played(CHAIN, outside="nowhere.py")
    (tmp_path / "idle.py").write_text("")
    with pytest.raises(BadConfig, match="has no function 'shares'"):
        played(CHAIN, outside=str(tmp_path / "idle.py"))


def test_what_is_no_fault_of_workflows_is_refused() -> None:
    with pytest.raises(BadConfig, match="clock_skew cannot be simulated with workflows"):
        played(CHAIN, faults=[{"kind": "clock_skew", "at_s": 1.0}])


def test_each_part_says_its_state() -> None:
    told = Scenario(
        name="edge", workload=Workload(duration_s=2.0), workflows=(msgspec.convert(CHAIN, WorkflowPlan),),
        system=System(workers=2, placement=Choice(policy="round_robin")), hardware=Hardware(network_loss=0.0),
    )  # fmt: skip
    engine = Engine()
    world = WorkflowWorld(told, Schedule(told), NullRecorder(told, "simulated", 0.0), engine, EventLog(engine))
    check = WorkflowCheck(world)
    assert repr(world.lived[0]) == "<Lived chain not yet>"
    world.run(check.after)
    assert repr(world).startswith("<WorkflowWorld at ")
    assert repr(world).endswith(" 9 sent, 0 under way>")
    assert repr(world.nodes["w1"]) == "<SimulatedNode w1 up: 1 instances, 10 handled, 1 starts>"
    assert repr(world.roads) == "<Roads 1 links of 2, 0 messages lost>"
    assert repr(world.orchestrator) == "<Orchestrator up: 1 starts, 2 kept>"
    assert repr(world.faults) == "<Failures 0 happened>"
    assert repr(check).startswith("<WorkflowCheck, ")
    assert check.may_lose == 0
    assert check.is_settled()
    assert repr(Restless(Streams(1).stream("x"))) == "<Restless, 0 looks>"
    assert repr(Program(ORCHESTRATOR)) == "<Program before its first look>"
    flight = SimulatedInvocation(7, 0.0, world.target, 0.0, "run")
    assert repr(Crossing(flight, 1)) == "<Crossing 7, 0 steps>"


def test_functions_and_workflows_are_not_in_one_scenario() -> None:
    with pytest.raises(msgspec.ValidationError, match="workflows, or else functions"):
        msgspec.convert(
            {"name": "x", "workload": {"duration_s": 1}, "workflows": [CHAIN], "functions": [{"name": "f"}]}, Scenario
        )
