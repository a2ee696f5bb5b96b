"""Closed loop from one client to many: what each number of them gets through, and how long they wait for it."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from attacca.errors import BadConfig
from attacca.kernel.clock import SystemClock
from attacca.lab.bodies import Known, fixed_call, known_of
from attacca.lab.environment import Environment, Tick, perform
from attacca.load.records.recorder import Recorder
from attacca.load.workload.scenario import Body, Clients, FunctionPlan, Record, Scenario, Workload
from attacca.load.workload.schedule import Schedule

WARMUP_SHARE = 0.2
DRAIN_S = 10.0
SAMPLE_S = 0.5
KNEE = 0.05  # less than so much more throughput from as many clients again


class Rung(NamedTuple):
    clients: int
    per_s: float
    mean_ms: float
    p50_ms: float
    p99_ms: float
    failed: int


def climb(
    environment: Environment, name: str, asked: Known, most: int, seconds_each: float, directory: Path, tick: Tick
) -> list[Rung]:
    """Each number of clients is recorded as a run in the directory.

    Raises:
        NotFound: there is no such function.
    """
    asked = known_of(name, asked)
    plan = FunctionPlan(name=name, body=Body(path=asked.path))
    environment.use([plan])
    facts = {"server": environment.client.json("GET", "/api/info"), "url": environment.client.url}
    numbers = steps(most)
    calls = (fixed_call(name, environment.host, environment.token, asked),)
    rungs = []
    for count in numbers:
        scenario = _scenario(plan, count, seconds_each)
        place = directory / f"clients-{count:0{len(str(most))}d}"
        recorder = Recorder(place, scenario, "live", SystemClock().wall(), live=facts)
        ended = perform(scenario, environment, recorder, schedule=Schedule(scenario), calls=calls)
        recorder.close(ended.totals, ended.wall_s)
        rungs.append(_rung(count, ended.totals))
        tick()
        if rungs[-1].failed and not rungs[-1].per_s:
            raise BadConfig(f"{name} fails for every client", f"attacca invoke {name} says why")
    return rungs


def steps(most: int) -> list[int]:
    """1, 2, 4, ... and the last."""
    numbers = [1]
    while numbers[-1] * 2 < most:
        numbers.append(numbers[-1] * 2)
    return numbers if numbers[-1] == most else [*numbers, most]


def knee(rungs: list[Rung]) -> int:
    """The number of clients from which on more of them get hardly more through."""
    for rung, after in pairwise(rungs):
        if after.per_s < rung.per_s * (1 + KNEE):
            return rung.clients
    return rungs[-1].clients


def _scenario(plan: FunctionPlan, count: int, seconds_each: float) -> Scenario:
    return Scenario(
        name=plan.name,
        workload=Workload(
            duration_s=seconds_each,
            warmup_s=seconds_each * WARMUP_SHARE,
            drain_s=DRAIN_S,
            clients=Clients(count=count),
        ),
        functions=(plan,),
        record=Record(sample_s=SAMPLE_S),
    )


def _rung(count: int, totals: Mapping[str, float | str]) -> Rung:
    number = {key: float(value) for key, value in totals.items() if isinstance(value, int | float)}
    fine_share = number["ok"] / number["invocations"] if number["invocations"] else 0.0
    return Rung(
        clients=count,
        per_s=number["rate"] * fine_share,
        mean_ms=number["mean_ms"],
        p50_ms=number["p50_ms"],
        p99_ms=number["p99_ms"],
        failed=int(number["failed"]),
    )
