"""Gateways that take time: each sees to one invocation after the other, and several do several times as much."""

import msgspec

from attacca.kernel.clock import SystemClock
from attacca.load.records.recorder import NullRecorder
from attacca.load.workload.scenario import Fault, Scenario
from attacca.load.workload.schedule import Schedule
from attacca.sim.engine import Engine
from attacca.sim.platform.world import World
from attacca.sim.record.event_log import EventLog
from attacca.sim.record.totals import Totals
from attacca.sim.run import Options, run

BUSY_MS = 1.0


def scenario(gateways: int, *, clients: int, seconds: float = 0.5) -> Scenario:
    told = {
        "name": "gateways",
        "workload": {"duration_s": seconds, "clients": {"count": clients}},
        "system": {"gateways": gateways, "workers": 2 * gateways, "memory_mb": 8000},
        "hardware": {"gateway": {"mean_ms": BUSY_MS}, "imports": {"mean_ms": 1}, "sandbox": {"mean_ms": 1}},
        "functions": [{"name": "f", "memory_mb": 128, "duration": {"mean_ms": 1}}],
    }
    return msgspec.convert(told, Scenario)


def totals(gateways: int, clients: int) -> Totals:
    return run(scenario(gateways, clients=clients), SystemClock(), Options(checks="all")).totals


def test_one_takes_no_more_than_it_has_time_for_and_loses_nothing() -> None:
    crowded = totals(1, 40)
    assert crowded.invocations == crowded.ok
    assert 530 <= crowded.ok <= 500 + 40
    assert crowded.p50_ms >= 38 * BUSY_MS, "they wait for one another"
    assert totals(1, 1).p50_ms < 4 * BUSY_MS


def test_four_take_four_times_as_much() -> None:
    assert totals(4, 400).ok - 400 > 0.95 * 4 * (totals(1, 100).ok - 100)


def test_who_stands_at_the_door_is_under_way() -> None:
    plan = scenario(1, clients=7)
    engine = Engine()
    world = World(plan, Schedule(plan), NullRecorder(plan, "simulated", 0.0), engine, EventLog(engine))
    for client in range(7):
        flight = world.send(client, 0, 0.001)
        assert flight is not None
        world.arrive(flight)
    assert len(world.under_way()) == 7
    assert repr(world.front) == "<SimulatedGateway 7 at the door, 0 arrived, 0 over>"
    engine.run(until=2.5 * BUSY_MS / 1e3)
    assert repr(world.front) == "<SimulatedGateway 5 at the door, 2 arrived, 0 over>"


def test_those_at_the_door_of_one_that_crashes_are_told_so() -> None:
    plan = scenario(2, clients=40)
    plan = msgspec.structs.replace(plan, faults=(Fault(kind="gateway_crash", at_s=0.1, for_s=0.1),))
    outcome = run(plan, SystemClock(), Options(checks="all"))
    totals = outcome.totals
    assert outcome.faults == 1
    assert totals.refused > 0, "among those that failed"
    assert totals.ok + totals.failed == totals.invocations
