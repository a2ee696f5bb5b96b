from pathlib import Path

import pytest

from attacca.lab.experiments import azure, cold_starts, machines, overload, rates
from attacca.load.workload.scenario import Body
from attacca.load.workload.schedule import Schedule

SYSTEM = machines("cluster", workers=2, cores=2, memory_mb=1024)


def test_rates_rise_by_ones_twos_and_fives() -> None:
    assert list(rates(100, 10_000)) == [100, 200, 500, 1000, 2000, 5000, 10_000]
    assert list(rates(3, 12)) == [3, 5, 10, 12]
    assert list(rates(0.5, 0.5)) == [0.5]


def test_both_schools_have_the_same_machines_and_keep_as_long() -> None:
    worker, cluster = (machines(mode, 3, 10, 2048) for mode in ("worker", "cluster"))
    assert (worker.mode, cluster.mode) == ("worker", "cluster")
    assert worker.keepalive.options["idle_s"] == cluster.scaling.options["stable_s"] == 60.0
    assert not worker.templates


def test_every_call_of_a_sweep_is_of_another_function_and_they_come_evenly() -> None:
    scenario = cold_starts(4.0, SYSTEM, seconds=9.0, again_s=6.0, seed=1)
    due = list(Schedule(scenario))
    assert [one.due_s for one in due] == pytest.approx([number / 4 for number in range(36)])
    assert len({one.function for one in due}) == 24
    assert scenario.workload.warmup_s == 3.0
    kept_s = scenario.system.keepalive.options["idle_s"]
    assert isinstance(kept_s, float)
    assert kept_s < 6.0, "it is gone when its function is called again"


def test_ten_minutes_of_a_replay_are_left_out_or_a_third_of_a_short_one() -> None:
    whole = azure(Path("trace"), SYSTEM, functions=500, minutes=30, seed=3)
    assert (whole.workload.warmup_s, whole.seed) == (600.0, 3)
    assert whole.workload.trace is not None
    assert (whole.workload.trace.sample, whole.workload.trace.minutes) == (500, 30)
    assert whole.workload.trace.body == Body(), "they compute for as long as they run"
    assert azure(Path("trace"), SYSTEM, functions=5, minutes=3, seed=3).workload.warmup_s == 60.0


def test_of_a_replay_functions_may_wait_for_most_of_the_time() -> None:
    scenario = azure(Path("trace"), SYSTEM, functions=5, minutes=3, seed=3, busy=0.125)
    assert scenario.workload.trace is not None
    assert scenario.workload.trace.body.computing == 0.125
    assert scenario.system.concurrency.options == {"count": 2 * 64 * 8}, "others may run meanwhile"
    assert azure(Path("trace"), SYSTEM, functions=5, minutes=3, seed=3).system == SYSTEM
    idle = azure(Path("trace"), SYSTEM, functions=5, minutes=3, seed=3, busy=0.0)
    assert idle.system.concurrency.options == {"count": 2 * 4096}


def test_a_step_is_too_much_when_it_fails_lags_or_is_slow() -> None:
    fine = {"error_share": 0.01, "throughput": 95.0, "p99_ms": 400.0}
    assert overload(100.0, fine) == ""
    assert overload(100.0, fine | {"error_share": 0.2}) == "20% failed"
    assert overload(200.0, fine) == "95 a second were answered"
    assert overload(100.0, fine | {"p99_ms": 6_100.0}) == "the p99 is 6.1 s"
    assert overload(100.0, {}) == "0 a second were answered"
