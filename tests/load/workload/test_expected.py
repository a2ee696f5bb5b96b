from typing import Any

import msgspec
import pytest

from attacca.load.workload.expected import Expected, expected
from attacca.load.workload.scenario import (
    Body,
    Clients,
    Distribution,
    Fault,
    FunctionPlan,
    Scenario,
    Shape,
    System,
    Workload,
)
from attacca.load.workload.schedule import Schedule
from tests.load.twin import MemoryTrace, scenario

BUSY = FunctionPlan(
    name="busy", memory_mb=100, duration=Distribution(mean_ms=500.0), shape=Shape(kind="poisson", rate=4.0)
)
IDLE = FunctionPlan(
    name="idle", memory_mb=50, duration=Distribution(mean_ms=1000.0), shape=Shape(kind="constant", rate=3.0),
    body=Body(kind="sleep"),
)  # fmt: skip


def of(*functions: FunctionPlan, cores: int = 4, memory_mb: int = 8192, **workload: Any) -> Expected:
    planned = scenario(*functions, **{"duration_s": 1000.0, **workload})
    return expected(msgspec.structs.replace(planned, system=System(cores=cores, memory_mb=memory_mb)))


def test_the_load_follows_from_littles_law() -> None:
    found = of(BUSY, IDLE)
    assert (found.invocations, found.rate) == (7000.0, 7.0)
    assert found.running == pytest.approx(4 * 0.5 + 3 * 1.0)
    assert found.cores == pytest.approx(2.0)  # who sleeps needs no core
    assert found.memory_mb == pytest.approx(2 * 100 + 3 * 50)
    assert found.memory_each_mb == 150
    assert [part.function for part in found.parts] == ["idle", "busy"]
    assert found.warnings == ()


def test_what_cannot_go_well_is_said_before() -> None:
    assert "the queue grows" in of(BUSY, cores=2).warnings[0]
    nearly = FunctionPlan(name="nearly", duration=Distribution(mean_ms=900.0), shape=Shape(rate=2.0))
    assert "waits are long" in of(nearly, cores=2).warnings[0]
    assert "wait for memory" in of(BUSY, IDLE, memory_mb=300).warnings[0]
    big = FunctionPlan(name="big", memory_mb=500, shape=Shape(rate=1.0))
    assert "evicted" in of(IDLE, big, memory_mb=520).warnings[0]
    assert "a p99 needs" in of(BUSY, duration_s=10.0).warnings[0]
    assert of(FunctionPlan(name="lonely")).warnings == (
        "nothing is sent at all: the part of the trace may be too short, or its functions too few",
    )
    assert "nothing calls lonely" in of(BUSY, FunctionPlan(name="lonely")).warnings[0]
    assert "nothing is left" in of(BUSY, warmup_s=1000.0).warnings[0]
    assert "times out" in of(FunctionPlan(name="slow", duration=Distribution(mean_ms=2000.0), timeout_s=1.0,
                                          shape=Shape(rate=1.0))).warnings[0]  # fmt: skip
    quick = FunctionPlan(name="quick", duration=Distribution(), shape=Shape(rate=6000.0))
    assert "2 will send" in of(quick).warnings[0]


def test_a_fault_after_the_end_is_named() -> None:
    late = Scenario(name="late", workload=Workload(duration_s=1000.0), functions=(BUSY,),
                    faults=(Fault(kind="worker_crash", at_s=1000.0),))  # fmt: skip
    assert "after the end" in expected(late).warnings[0]
    early = msgspec.structs.replace(late, faults=(Fault(kind="worker_crash", at_s=999.0),))
    assert expected(early).warnings == ()


def test_the_highest_rate_is_found() -> None:
    spike = FunctionPlan(name="spike", shape=Shape(kind="spike", rate=1.0, to_rate=100.0, at_s=500.0, for_s=10.0))
    found = of(BUSY, spike)
    assert found.peak_rate == pytest.approx(104.0)
    assert found.rate == pytest.approx(4 + 1.99)


def test_clients_are_as_quick_as_the_functions_they_call() -> None:
    work = FunctionPlan(name="work", duration=Distribution(mean_ms=400.0))
    clients = Clients(count=10, think=Distribution(mean_ms=600.0))
    found = of(work, clients=clients)
    assert found.rate == pytest.approx(10.0)
    assert found.running == pytest.approx(4.0)
    often = FunctionPlan(name="often", duration=Distribution(mean_ms=200.0), weight=3.0)
    parts = of(work, often, clients=clients).parts
    assert {part.function: part.mean_ms for part in parts} == pytest.approx({"work": 400.0, "often": 200.0})
    shares = {part.function: part.invocations for part in parts}
    assert shares["often"] == pytest.approx(3 * shares["work"])
    assert sum(shares.values()) == pytest.approx(10 * 1000 / (0.6 + 0.25))


def test_a_trace_is_counted() -> None:
    trace = MemoryTrace(["one", "two"], [(0.5, 0, 100.0), (1.0, 0, 300.0), (2.0, 1, 600.0)], 10.0)
    one = scenario(BUSY)
    found = expected(one, Schedule(one, trace))
    assert found.called == 3
    assert {part.function: part.mean_ms for part in found.parts}["one"] == pytest.approx(200.0)
