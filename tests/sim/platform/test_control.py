"""The control core in virtual time: deployments, joining, crashes and silence."""

from math import inf

from attacca.control.core.control import Stage
from attacca.control.core.stored import FUNCTIONS
from attacca.kernel.clock import ManualClock
from attacca.load.records.recorder import NullRecorder
from attacca.load.workload.scenario import Fault, Scenario
from attacca.load.workload.schedule import Schedule
from attacca.sim.engine import Engine
from attacca.sim.platform.world import World
from attacca.sim.record.event_log import EventLog
from tests.sim.play import function, scenario


def world(one: Scenario) -> World:
    engine = Engine()
    return World(one, Schedule(one), NullRecorder(one, "simulated", ManualClock().wall()), engine, EventLog(engine))


def test_what_is_called_is_deployed_by_control_and_the_first_worker_has_its_template() -> None:
    plans = (function("f"), function("g"), function("never", rate=0.0))
    played = world(scenario(*plans, length_s=100.0, workers=2, templates=True))
    control = played.control
    assert [one.id for one in control.core.changes.catalogue.current()] == ["f@1", "g@1", "never@1"]
    assert sorted(control.store) == ["epoch", FUNCTIONS + "f", FUNCTIONS + "g"], "the third is of a run before"
    first, second = played.nodes
    assert sorted(one.revision.function for one in first.core.pool.templates.values()) == ["f", "g"]
    assert not second.core.pool.templates
    assert control.core.is_at_rest()
    assert repr(control) == "<SimulatedControl 2 workers, 3 entries, open>"


def test_what_does_not_fit_is_deployed_all_the_same_and_its_invocations_are_refused() -> None:
    played = world(scenario(function("f", memory_mb=4096), length_s=10.0, templates=True, memory_mb=1024))
    assert [one.id for one in played.control.core.changes.catalogue.current()] == ["f@1"]
    played.run()
    totals = played.ledger.sum_up()
    assert totals.invocations
    assert played.control.core.stage is Stage.OPEN


def test_functions_whose_checks_wait_for_memory_are_in_force_all_the_same() -> None:
    plans = [function(f"f{number}", memory_mb=100) for number in range(5)]
    played = world(scenario(*plans, length_s=10.0, templates=True, memory_mb=250))
    assert len(played.control.core.changes.catalogue.current()) == 5
    assert len(played.front.core.functions.by_name) == 5
    assert played.control.core.changes.turns.by_id == {}


def test_a_worker_that_crashes_is_silent_for_control_until_it_is_back_and_has_the_catalogue_then() -> None:
    fault = Fault(kind="worker_crash", at_s=5.0, for_s=10.0, worker=1)
    played = world(scenario(function("f"), length_s=30.0, workers=2, silent_s=2.0, faults=(fault,)))
    crashed = played.nodes[1]
    states: list[tuple[float, bool]] = []

    def look() -> None:
        state = played.control.core.workers.by_name[crashed.name].is_silent
        if not states or states[-1][1] != state:
            states.append((played.engine.now, state))

    played.run(look)
    (_, first), (lost_at, second), (back_at, third) = states
    assert (first, second, third) == (False, True, False)
    assert 6.0 <= lost_at <= 7.0
    assert back_at == 15.0
    assert crashed.core.catalogue.find(played.engine.now, "f@1", []) is not None


def test_alone_and_without_faults_nobody_falls_silent() -> None:
    played = world(scenario(function("f"), length_s=30.0))
    assert played.control.core.alarm.at == inf
