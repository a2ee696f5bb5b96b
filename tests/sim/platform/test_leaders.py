"""Who leads in a simulated cluster, and what it matters: a leader's death or stop, a store that is slow or away."""

from typing import Any

import pytest
from msgspec.structs import replace

from attacca.kernel.clock import ManualClock
from attacca.load.records.recorder import NullRecorder
from attacca.load.workload.scenario import Distribution, Fault, FunctionPlan, Hardware, Scenario, Shape
from attacca.load.workload.schedule import Schedule
from attacca.sim.check import Check
from attacca.sim.engine import Engine
from attacca.sim.platform.world import World
from attacca.sim.record.event_log import EventLog
from tests.sim.play import function, scenario

HARDWARE = Hardware(
    sandbox=Distribution(mean_ms=40.0), imports=Distribution(mean_ms=60.0), network=Distribution(mean_ms=0.5),
    control=Distribution(mean_ms=0.5), store=Distribution(mean_ms=2.0),
)  # fmt: skip


def played(one: Scenario) -> World:
    engine = Engine()
    world = World(one, Schedule(one), NullRecorder(one, "simulated", ManualClock().wall()), engine, EventLog(engine))
    check = Check(thorough=True)
    check.look_at(engine, world.fronts, world.invocations, world.nodes, world.control)
    world.run(check.after)
    check.end(world.ledger.spent_s)
    return world


def once_late(*faults: Fault, at_s: float = 21.0, store_ms: float = 2.0, **more: Any) -> float:
    """What the only invocation of a function takes, in s, when it comes just after something went wrong."""
    late = FunctionPlan(name="late", shape=Shape(kind="constant", rate=0.001, at_s=at_s), wait_s=300.0)
    hardware = Hardware(sandbox=HARDWARE.sandbox, imports=HARDWARE.imports, store=Distribution(mean_ms=store_ms))
    settings = {"mode": "cluster", "workers": 2, "controls": 3, **more}
    totals = played(scenario(late, length_s=200.0, hardware=hardware, faults=faults, **settings)).ledger.sum_up()
    assert totals.ok == totals.invocations == 1
    return totals.max_ms / 1e3


def test_without_faults_the_first_to_lead_leads_to_the_end() -> None:
    one = scenario(function(rate=5.0), length_s=60.0, hardware=HARDWARE, mode="cluster", workers=2, controls=3)
    world = played(one)
    assert world.leaders is not None
    assert repr(world.leaders) == "<Leaders control-0 leads of 3, 1 turns>"
    assert world.control.is_up


def test_with_one_control_and_a_store_that_answers_at_once_nobody_asks_who_leads() -> None:
    assert played(scenario(function(), length_s=5.0, mode="cluster")).leaders is None


def test_when_the_leader_dies_another_leads_as_soon_as_the_lease_has_ended() -> None:
    crash = Fault(kind="control_crash", at_s=20.0, for_s=100.0)
    assert once_late() == pytest.approx(0.1, abs=0.05)
    assert 0.5 < once_late(crash) < 2.5, "a second of the lease had gone before it was called"
    assert 5.5 < once_late(crash, lease_s=8.0) < 8.5


def test_one_alone_that_dies_is_followed_by_itself() -> None:
    crash = Fault(kind="control_crash", at_s=20.0, for_s=30.0)
    assert 29.0 < once_late(crash, controls=1) < 32.0


def test_a_leader_that_is_stopped_for_less_than_its_lease_goes_on_and_for_longer_is_followed() -> None:
    short, long = (Fault(kind="control_stop", at_s=20.0, for_s=for_s) for for_s in (0.9, 60.0))
    one = scenario(function(rate=5.0), length_s=100.0, hardware=HARDWARE, mode="cluster", workers=2, controls=3)
    turns = []
    for fault in (short, long):
        world = played(replace(one, faults=(fault,)))
        assert world.leaders is not None
        assert world.control.is_up
        assert not world.control.is_stopped
        turns.append(world.leaders.turns)
    assert turns == [1, 2]
    assert once_late(short) < 0.5
    assert 0.5 < once_late(long) < 2.5


def test_while_the_store_is_away_nobody_leads_and_what_is_warm_goes_on() -> None:
    away = Fault(kind="store_down", at_s=20.0, for_s=60.0)
    assert once_late(away) < 0.5, "the lease has not ended"
    assert 54.0 < once_late(away, at_s=24.0) < 61.0
    assert once_late(away, at_s=24.0, mode="worker") < 0.5, "workers make their own"
    plan = function(rate=20.0, duration=Distribution(mean_ms=20.0))
    one = scenario(plan, length_s=120.0, hardware=HARDWARE, faults=(away,), mode="cluster", workers=2, controls=3)
    totals = played(one).ledger.sum_up()
    assert totals.ok == totals.invocations > 2000
    assert totals.p99_ms < 100.0


def test_a_store_so_slow_that_the_lease_ends_leaves_nobody_to_lead_and_a_little_slow_one_does_no_harm() -> None:
    slow, slower = (Fault(kind="store_slow", at_s=10.0, for_s=50.0, factor=factor) for factor in (0.1, 3.0))
    assert once_late(slow) < 0.5
    assert once_late(slower) > 30.0


def test_the_longer_a_store_takes_the_later_the_next_one_leads() -> None:
    crash = Fault(kind="control_crash", at_s=20.0, for_s=100.0)
    assert once_late(crash, store_ms=1.0) < once_late(crash, store_ms=200.0) < 5.0
