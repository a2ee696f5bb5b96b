"""What goes wrong, and how the gateway and its workers live with it. Every run is checked after every event."""

from typing import Any

import msgspec
import pytest

from attacca.load.workload.scenario import Distribution, Fault, Hardware
from attacca.sim.run import Outcome
from tests.sim.play import INSTANT, function, play, scenario


def struck(fault: Fault, hardware: Hardware = INSTANT, workers: int = 1, **more: Any) -> Outcome:
    plan = function(rate=5.0, duration=Distribution(mean_ms=1000.0), **more)
    return play(scenario(plan, length_s=20.0, hardware=hardware, faults=(fault,), workers=workers))


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
    assert totals.max_ms > 250.0


def test_lost_messages_end_by_a_clock() -> None:
    lossy = msgspec.structs.replace(INSTANT, network_loss=0.05)
    plan = function(rate=5.0, timeout_s=3.0, wait_s=3.0)
    outcome = play(scenario(plan, length_s=20.0, hardware=lossy))
    assert outcome.lost_messages > 0
    assert outcome.totals.unanswered == 0
    assert outcome.totals.max_ms == 0.0
    assert outcome.totals.failed > 0


def test_a_worker_behind_a_partition_is_dropped_and_joins_again() -> None:
    cut = Fault(kind="partition", at_s=5.0, for_s=8.0, worker=1)
    outcome = struck(cut, workers=2, idempotent=True)
    assert outcome.totals.ok == outcome.totals.invocations
    assert outcome.lost_messages > 0


def test_a_skewed_clock_disturbs_nobody_else() -> None:
    skew = Fault(kind="clock_skew", at_s=5.0, factor=30.0)
    assert struck(skew).totals.failed == 0


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
