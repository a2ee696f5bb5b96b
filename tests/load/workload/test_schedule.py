from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.load.workload.expected import expected
from attacca.load.workload.scenario import Distribution, FunctionPlan, Scenario, Shape, TraceUse, Workload
from attacca.load.workload.schedule import LABEL, Schedule, label_of
from tests.load.twin import MemoryTrace, scenario

TICK = FunctionPlan(name="tick", shape=Shape(kind="constant", rate=1.0), duration=Distribution(mean_ms=3.0))
RAIN = FunctionPlan(
    name="rain", shape=Shape(rate=5.0), duration=Distribution(kind="exponential", mean_ms=10.0), memory_mb=64
)
ROWS = [(0.5, 0, 1.0), (1.0, 1, 2.0), (1.0, 0, 3.0), (2.5, 1, 4.0), (9.5, 0, 5.0)]


def test_shapes_are_merged_by_time_and_numbered() -> None:
    items = list(Schedule(scenario(TICK, RAIN)))
    assert [item.idx for item in items] == list(range(len(items)))
    assert [item.due_s for item in items] == sorted(item.due_s for item in items)
    ticks = [item for item in items if item.function == 0]
    assert [item.due_s for item in ticks] == [float(second) for second in range(10)]
    assert {item.duration_ms for item in ticks} == {3.0}


@given(st.integers(0, 100))
def test_walking_again_yields_the_same_and_another_function_changes_nothing(seed: int) -> None:
    schedule = Schedule(scenario(RAIN, seed=seed))
    alone = [(item.due_s, item.duration_ms) for item in schedule]
    assert alone == [(item.due_s, item.duration_ms) for item in schedule]
    both = Schedule(scenario(TICK, RAIN, seed=seed))
    assert alone == [(item.due_s, item.duration_ms) for item in both if item.function == 1]


def test_the_warm_up_is_the_beginning_of_the_run() -> None:
    phases = [item.phase for item in Schedule(scenario(TICK, warmup_s=3.0))]
    assert phases == ["warmup"] * 3 + ["run"] * 7


def test_a_trace_brings_its_functions_and_times() -> None:
    schedule = Schedule(scenario(TICK), MemoryTrace(["Hash/One", "two"], ROWS, 10.0))
    one, two = schedule.functions[1:]
    assert (one.label, one.app, one.trigger, one.plan.memory_mb) == ("Hash/One", "app", "timer", 64)
    assert LABEL.fullmatch(one.name)
    assert (two.label, two.name) == ("two", "two")
    assert (one.mean_ms, one.plan.timeout_s) == (7.0, 1800.0), "twice the longest that there may be"
    from_trace = [(item.due_s, item.function - 1, item.duration_ms) for item in schedule if item.function]
    assert from_trace == ROWS


def test_a_function_that_the_scenario_names_keeps_its_settings() -> None:
    mine = FunctionPlan(name="two", memory_mb=512, concurrency=4)
    schedule = Schedule(scenario(mine), MemoryTrace(["one", "two"], ROWS, 10.0))
    assert [target.name for target in schedule.functions] == ["two", "one"]
    assert (schedule.functions[0].plan.memory_mb, schedule.functions[0].trigger) == (512, "timer")
    assert [item.function for item in schedule] == [1, 0, 1, 0, 1]


def test_the_shorter_of_trace_and_duration_ends_it() -> None:
    assert Schedule(scenario(TICK, duration_s=2.0), MemoryTrace(["one"], ROWS[:1], 10.0)).length_s == 2.0
    cut = Schedule(scenario(FunctionPlan(name="two"), duration_s=2.0), MemoryTrace(["one", "two"], ROWS, 10.0))
    assert [item.due_s for item in cut] == [0.5, 1.0, 1.0]
    assert Schedule(scenario(TICK, duration_s=99.0), MemoryTrace(["one", "two"], ROWS, 10.0)).length_s == 10.0


def test_counts_are_those_of_the_walk() -> None:
    schedule = Schedule(scenario(TICK, duration_s=5.0), MemoryTrace(["one", "two"], ROWS, 10.0))
    counts = schedule.counts()
    for number in range(3):
        items = [item for item in schedule if item.function == number]
        assert counts[number] == (len(items), sum(item.duration_ms for item in items))


@given(st.text(max_size=80), st.integers(0, 9999))
def test_any_name_becomes_one_that_can_be_deployed(name: str, number: int) -> None:
    label = label_of(name, {}, number)
    assert LABEL.fullmatch(label)


@pytest.fixture
def measured(tmp_path: Path) -> Scenario:
    """A trace that says what cold invocations took, of all its functions but the last."""
    (tmp_path / "trace.csv").write_text("func_name,invoke_time_ms\na,0\nb,10\nc,20\n")
    metadata = "func_name,cold_dur_ms,warm_dur_ms,mem_mb\na,900,100,128\nb,500,100,128\nc,,100,128\n"
    (tmp_path / "metadata.csv").write_text(metadata)
    return Scenario(name="one", workload=Workload(trace=TraceUse(path=str(tmp_path))))


def colds(one: Scenario) -> list[float | None]:
    plans = [target.plan for target in Schedule(one).functions]
    return [None if plan.cold is None else plan.cold.mean_ms for plan in plans]


def test_a_traces_cold_starts_are_simulated_unless_something_else_is_said(measured: Scenario) -> None:
    assert colds(measured) == [800.0, 400.0, None]
    own = (FunctionPlan(name="b", cold=Distribution(mean_ms=7.0)), FunctionPlan(name="a"))
    assert colds(msgspec.structs.replace(measured, functions=own)) == [7.0, 800.0, None]
    use = measured.workload.trace
    assert use is not None
    plain = Workload(trace=msgspec.structs.replace(use, cold="hardware"))
    assert colds(msgspec.structs.replace(measured, workload=plain)) == [None, None, None]


def test_it_is_told_who_says_what_cold_starts_take(measured: Scenario) -> None:
    own = (FunctionPlan(name="b", cold=Distribution(mean_ms=100.0)),)
    found = expected(msgspec.structs.replace(measured, functions=own))
    assert (found.called, found.cold_traced, found.cold_own) == (3, 1, 1)
    assert found.cold_ms == pytest.approx((800.0 + 100.0 + 5.0 + 0.5 + 50.0) / 3)


def test_copies_that_are_called_at_a_constant_rate_take_turns() -> None:
    plan = FunctionPlan(name="f", copies=4, shape=Shape(kind="constant", rate=0.5))
    schedule = Schedule(Scenario(name="copies", workload=Workload(duration_s=4.0), functions=(plan,)))
    assert [target.name for target in schedule.functions] == ["f-1", "f-2", "f-3", "f-4"]
    assert [(due.due_s, due.function) for due in schedule] == [(at / 2, at % 4) for at in range(8)]
    assert schedule.counts() == dict.fromkeys(range(4), (2.0, 20.0))
    with pytest.raises(ValueError, match="two functions have the same name"):
        Scenario(name="copies", workload=Workload(duration_s=1.0), functions=(plan, FunctionPlan(name="f-2")))


def test_other_copies_come_by_chance_each_by_its_own() -> None:
    plan = FunctionPlan(name="f", copies=2, shape=Shape(rate=3.0))
    schedule = Schedule(Scenario(name="copies", workload=Workload(duration_s=10.0), functions=(plan,)))
    times = [[due.due_s for due in schedule if due.function == number] for number in range(2)]
    assert times[0] != times[1]
