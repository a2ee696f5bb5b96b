"""What goes wrong, and how the gateway and its workers live with it. Every run is checked after every event."""

from typing import Any

import msgspec
import pytest

from attacca.load.workload.scenario import Distribution, Fault, FunctionPlan, Hardware, Shape
from attacca.sim.record.event_log import What
from attacca.sim.run import Outcome
from tests.sim.play import INSTANT, function, play, scenario

ONE_OF_TWO: tuple[dict[str, Any], ...] = ({"silent_s": 6.0}, {"attempts": 1})


OF_SYSTEM = ("workers", "gateways", "mode")


def struck(fault: Fault, hardware: Hardware = INSTANT, **more: Any) -> Outcome:
    of_system = {key: more.pop(key) for key in OF_SYSTEM if key in more}
    plan = function(rate=5.0, duration=Distribution(mean_ms=1000.0), **more)
    return play(scenario(plan, length_s=20.0, hardware=hardware, faults=(fault,), **of_system))


def test_a_crashed_worker_is_missed_and_what_it_had_is_told() -> None:
    crash = Fault(kind="worker_crash", at_s=10.0, for_s=5.0, worker=0)
    totals = struck(crash).totals
    assert totals.failed > 0
    assert totals.unanswered == 0
    assert totals.ok + totals.failed + totals.unanswered == totals.invocations


def test_an_idempotent_function_survives_the_crash_of_its_worker() -> None:
    crash = Fault(kind="worker_crash", at_s=10.0, for_s=5.0, worker=0)
    totals = struck(crash, workers=2, idempotent=True).totals
    assert totals.ok == totals.invocations
    assert totals.max_ms > 3000.0  # three heartbeats


def test_silence_and_attempts_are_as_the_system_says() -> None:
    crash = Fault(kind="worker_crash", at_s=10.0, for_s=8.0, worker=0)
    plan = function(rate=5.0, duration=Distribution(mean_ms=1000.0), idempotent=True)
    plain = scenario(plan, length_s=20.0, faults=(crash,), workers=2)
    patient, once = (scenario(plan, length_s=20.0, faults=(crash,), workers=2, **more) for more in ONE_OF_TWO)
    assert 3000.0 < play(plain).totals.max_ms < 6000.0 < play(patient).totals.max_ms
    assert play(plain).totals.failed == 0 < play(once).totals.failed


@pytest.mark.parametrize(("kind", "code"), [("sandbox_crash", "sandbox_lost"), ("out_of_memory", "out_of_memory")])
def test_a_lost_sandbox_takes_one_invocation_with_it(kind: Any, code: str) -> None:
    totals = struck(Fault(kind=kind, at_s=10.0)).totals
    assert totals.failed == 1, code


def test_a_stuck_sandbox_goes_on_when_it_is_free_again() -> None:
    stuck = Fault(kind="stuck_sandbox", at_s=10.0, for_s=7.0)
    totals = struck(stuck).totals
    assert totals.failed == 0
    assert 7000.0 < totals.max_ms <= 8000.0


def test_a_stuck_sandbox_is_given_up_when_its_time_is_over() -> None:
    totals = struck(Fault(kind="stuck_sandbox", at_s=10.0, for_s=100.0), timeout_s=4.0).totals
    assert totals.failed == 1


def test_a_slow_worker_recovers() -> None:
    sharing = msgspec.structs.replace(INSTANT, cpu="sharing")
    slow = Fault(kind="slow_worker", at_s=5.0, for_s=5.0, factor=3.0)
    plan = function(rate=1.0, duration=Distribution(mean_ms=100.0))
    totals = play(scenario(plan, length_s=20.0, hardware=sharing, faults=(slow,))).totals
    assert totals.p50_ms == pytest.approx(100.0)
    assert totals.p90_ms <= totals.max_ms == pytest.approx(300.0)
    many = [function(f"f{place}", rate=5.0, duration=Distribution(mean_ms=100.0)) for place in range(4)]
    totals = play(scenario(*many, length_s=20.0, hardware=INSTANT, faults=(slow,))).totals
    assert totals.mean_ms == pytest.approx(0.75 * 100.0 + 0.25 * 300.0, rel=0.1), "as quick as before in the end"


def test_lost_messages_end_by_a_clock() -> None:
    lossy = msgspec.structs.replace(INSTANT, network_loss=0.05)
    plan = function(rate=5.0, timeout_s=3.0, wait_s=3.0)
    outcome = play(scenario(plan, length_s=20.0, hardware=lossy))
    assert outcome.lost_messages > 0
    assert outcome.totals.unanswered == 0
    assert outcome.totals.max_ms == 0.0
    assert outcome.totals.failed > 0


def test_a_lost_message_is_one() -> None:
    outcome = struck(Fault(kind="lost_message", at_s=10.0), timeout_s=3.0, wait_s=3.0)
    assert (outcome.faults, outcome.lost_messages) == (1, 1)
    assert outcome.totals.failed <= 1


def test_a_late_message_holds_up_what_comes_behind_it() -> None:
    totals = struck(Fault(kind="late_message", at_s=10.0, factor=2.0)).totals
    assert totals.ok == totals.invocations
    assert 2000.0 < totals.max_ms <= 3000.0 + 1e-6


def test_a_partition_ends() -> None:
    cut = Fault(kind="partition", at_s=5.0, for_s=2.0)
    outcome = struck(cut, timeout_s=3.0, wait_s=3.0)
    assert outcome.lost_messages > 0
    assert 0.5 < outcome.totals.ok / outcome.totals.invocations < 0.95


def written(fault: Fault, seed: int = 1, **more: Any) -> list[What]:
    """Of a worker that is called once, at the beginning."""
    once = FunctionPlan(name="once", shape=Shape(kind="constant", rate=0.01))
    one = scenario(once, length_s=20.0, hardware=INSTANT, faults=(fault,), seed=seed, **more)
    return [entry.what for entry in play(one, stop_at=1_000_000).latest if entry.at >= (fault.at_s or 0.0)]


def test_a_template_that_dies_takes_its_sandboxes_with_it() -> None:
    crash = Fault(kind="sandbox_crash", at_s=10.0)
    seen = {tuple(written(crash, seed, templates=True)) for seed in range(9)}
    assert seen == {(What.FAULT, What.GONE), (What.FAULT, What.GONE, What.TEMPLATE_GONE)}


def test_a_crashed_worker_does_nothing_until_it_is_up_again() -> None:
    crash = Fault(kind="worker_crash", at_s=1.0, for_s=5.0)
    assert written(crash, idle_s=2.0) == [What.FAULT, What.WORKER_LEFT, What.MENDED, What.WORKER_JOINED]


def test_a_start_that_is_lost_is_made_again() -> None:
    slow = msgspec.structs.replace(INSTANT, imports=Distribution(mean_ms=1000.0))
    once = FunctionPlan(name="once", shape=Shape(kind="constant", rate=0.01))
    crash = Fault(kind="sandbox_crash", at_s=0.5)
    totals = play(scenario(once, length_s=20.0, hardware=slow, faults=(crash,))).totals
    assert (totals.ok, totals.max_ms) == pytest.approx((1, 1510.0))


def test_what_happened_is_written_down() -> None:
    faults = (
        Fault(kind="worker_crash", at_s=5.0, for_s=1.0, worker=1),
        Fault(kind="slow_worker", at_s=8.0, for_s=1.0, worker=1),
        Fault(kind="partition", at_s=11.0, for_s=1.0, worker=1),
    )
    one = scenario(function(rate=0.0), length_s=20.0, faults=faults, workers=2)
    entries = [entry for entry in play(one, stop_at=1_000_000).latest if entry.what in (What.FAULT, What.MENDED)]
    assert [(entry.at, entry.what, entry.worker, entry.number) for entry in entries] == [
        (5.0, What.FAULT, 1, 1),
        (6.0, What.MENDED, 1, 0),
        (8.0, What.FAULT, 1, 2),
        (9.0, What.MENDED, 1, 0),
        (11.0, What.FAULT, 1, 3),
        (12.0, What.MENDED, 1, 0),
    ]


def test_a_worker_behind_a_partition_is_dropped_and_joins_again() -> None:
    cut = Fault(kind="partition", at_s=5.0, for_s=8.0, worker=1)
    outcome = struck(cut, workers=2, idempotent=True)
    assert outcome.totals.ok == outcome.totals.invocations
    assert outcome.lost_messages > 0


def test_a_skewed_clock_disturbs_nobody_else() -> None:
    skew = Fault(kind="clock_skew", at_s=5.0, factor=30.0)
    assert struck(skew).totals.failed == 0
    rare = FunctionPlan(name="rare", shape=Shape(kind="constant", rate=0.5))
    totals = play(scenario(rare, length_s=60.0, hardware=INSTANT, faults=(skew,), idle_s=1.0)).totals
    assert totals.cold_share == 1.0, "what rests is not kept for longer"


def test_faults_are_drawn_from_the_seed() -> None:
    often = Fault(kind="sandbox_crash", rate=1000.0)
    counts = {struck(often).faults for _ in range(2)}
    assert len(counts) == 1
    assert 1 <= counts.pop() <= 15


def test_what_is_sent_again_may_be_luckier_on_the_road() -> None:
    """Were all attempts of one invocation alike, none whose first message was lost would ever be answered."""
    hardware = msgspec.structs.replace(INSTANT, network_loss=0.2)
    plan = function(rate=20.0, duration=Distribution(mean_ms=1000.0), idempotent=True, wait_s=100.0, timeout_s=100.0)
    crash = Fault(kind="worker_crash", at_s=20.0, for_s=100.0, worker=0)
    totals = play(scenario(plan, length_s=60.0, hardware=hardware, faults=(crash,), workers=2)).totals
    assert totals.failed < 0.15 * totals.invocations


def test_a_stopped_worker_goes_on_with_what_it_was_sent_meanwhile() -> None:
    """For less than the silence that makes it lost; what ran in its sandboxes has gone on."""
    totals = struck(Fault(kind="worker_stop", at_s=10.2, for_s=1.5)).totals
    assert totals.ok == totals.invocations
    assert 2000.0 < totals.max_ms <= 2500.0


def test_a_worker_that_is_stopped_for_long_is_lost_and_joins_again() -> None:
    stop = Fault(kind="worker_stop", at_s=10.0, for_s=8.0, worker=0)
    assert struck(stop, workers=2).totals.failed > 0
    totals = struck(stop, workers=2, idempotent=True).totals
    assert totals.ok == totals.invocations
    assert 3000.0 < totals.max_ms < 6000.0
    assert written(stop) == [What.FAULT, What.WORKER_LEFT, What.MENDED, What.WORKER_JOINED]


def test_a_worker_that_crashes_while_it_is_stopped_begins_anew() -> None:
    plan = function(rate=5.0, duration=Distribution(mean_ms=1000.0), idempotent=True)
    faults = (
        Fault(kind="worker_stop", at_s=5.0, for_s=6.0, worker=0),
        Fault(kind="worker_crash", at_s=7.0, for_s=2.0, worker=0),
    )
    totals = play(scenario(plan, length_s=20.0, faults=faults, workers=2)).totals
    assert totals.ok == totals.invocations


@pytest.mark.parametrize("mode", ["worker", "cluster"])
def test_a_gateway_that_dies_takes_what_it_held_with_it_and_the_next_go_to_another(mode: str) -> None:
    crash = Fault(kind="gateway_crash", at_s=10.0, for_s=5.0)
    alone, one_of_three = (struck(crash, workers=2, mode=mode, gateways=gateways) for gateways in (1, 3))
    for outcome in (alone, one_of_three):
        totals = outcome.totals
        assert (outcome.faults, totals.unanswered) == (1, 0)
        assert totals.ok + totals.failed == totals.invocations
    assert one_of_three.totals.refused == 0 < one_of_three.totals.failed < 10
    assert 10 < alone.totals.refused < alone.totals.failed, "while it was down nobody listened"


def test_a_gateway_that_is_back_while_nobody_leads_waits_for_the_next_leader() -> None:
    """It does not know which functions there are."""
    faults = (Fault(kind="control_crash", at_s=8.0, for_s=9.0), Fault(kind="gateway_crash", at_s=10.0, for_s=1.0))
    plan = function(rate=5.0)
    totals = play(scenario(plan, length_s=20.0, faults=faults, workers=2)).totals
    assert 25 < totals.refused < 50, "from 10 s to 17 s"
    assert totals.ok + totals.refused == totals.invocations
