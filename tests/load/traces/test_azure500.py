"""Facts of the sample that Dirigent was evaluated with: scripts/trace.sh fetches it."""

import pytest

from attacca.load.traces import open_trace
from attacca.load.traces.summary import levels, summarise
from attacca.load.workload.scenario import TraceUse
from tests.load.traces.made import AZURE_500, total

USE = TraceUse(path=str(AZURE_500), memory_least_mb=1)


@pytest.fixture(autouse=True)
def trace_is_there() -> None:
    if not AZURE_500.is_dir():
        pytest.fail(f"there is no trace in {AZURE_500}: scripts/trace.sh fetches it there; TRACE=DIRECTORY is another")


def test_all_of_it() -> None:
    trace = open_trace(USE, 42)
    found = summarise(trace)
    assert (found.functions, found.invocations, found.length_s) == (500, 3_037_902, 480 * 60)
    assert trace.functions["invocations"].sum() == 3_037_902
    assert {one.trigger: one.functions for one in found.triggers} == {
        "timer": 247, "http": 139, "queue": 69, "orchestration": 25, "event": 14, "storage": 5, "others": 1,
    }  # fmt: skip
    assert list(found.function_duration_ms.values()) == [21, 561, 12_035, 115_150]
    assert [int(value) for value in found.memory_mb.values()][:3] == [9, 57, 183]


def test_the_first_half_hour() -> None:
    found = summarise(open_trace(TraceUse(path=str(AZURE_500), minutes=30), 42))
    assert (found.invocations, found.silent, found.minute_least, found.minute_most) == (171_558, 141, 3_013, 7_138)


def test_a_part_holds_what_it_holds_in_the_whole() -> None:
    later = open_trace(TraceUse(path=str(AZURE_500), start_minute=100, minutes=2), 42)
    whole = open_trace(TraceUse(path=str(AZURE_500), minutes=102), 42)
    of_part = [row for chunk in later.invocations() for row in chunk.select("function", "duration_ms").rows()]
    of_whole = [row for chunk in whole.invocations() for row in chunk.select("function", "duration_ms").rows()]
    assert of_part == of_whole[-total(later) :]


def test_means_are_those_that_are_published() -> None:
    trace = open_trace(USE, 42)
    drawn = sum(float(chunk["duration_ms"].sum()) for chunk in trace.invocations())
    published = (trace.functions["duration_ms"] * trace.functions["invocations"]).sum()
    assert drawn == pytest.approx(published, rel=0.01)
    assert levels(trace.functions["duration_ms"].to_numpy())["p50"] == 561
