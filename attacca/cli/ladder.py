"""Closed loop from one client to many: what each number of them gets through, and how long they wait for it."""

from itertools import pairwise
from typing import NamedTuple

from attacca.cli.gauge import ticking
from attacca.cli.screen import console, milliseconds
from attacca.cli.stage import Stage, perform
from attacca.errors import BadConfig
from attacca.load.bodies import fixed_call
from attacca.load.frames import Call
from attacca.load.recorder import NullRecorder
from attacca.load.scenario import Clients, FunctionPlan, Record, Scenario, Workload
from attacca.load.schedule import Schedule

WIDTH = 24
WARMUP_SHARE = 0.2
DRAIN_S = 10.0
KNEE = 0.05  # less than so much more throughput from as many clients again


class Rung(NamedTuple):
    clients: int
    per_s: float
    mean_ms: float
    p50_ms: float
    p99_ms: float
    failed: int


def climb(stage: Stage, name: str, body: bytes, most: int, seconds_each: float, *, quiet: bool) -> list[Rung]:
    """
    Raises:
        NotFound: there is no such function.
    """
    plan = FunctionPlan(name=name)
    stage.use([plan])
    numbers = steps(most)
    calls = (fixed_call(name, stage.host, stage.token, body),)
    rungs = []
    with ticking("clients", len(numbers), quiet=quiet) as tick:
        for count in numbers:
            rungs.append(_rung(stage, plan, calls, count, seconds_each))
            tick()
            if rungs[-1].failed and not rungs[-1].per_s:
                raise BadConfig(f"{name} fails for every client", f"attacca invoke {name} says why")
    return rungs


def steps(most: int) -> list[int]:
    """1, 2, 4, ... and the last."""
    found = [1]
    while found[-1] * 2 < most:
        found.append(found[-1] * 2)
    return found if found[-1] == most else [*found, most]


def knee(rungs: list[Rung]) -> int:
    """The number of clients from which on more of them get hardly more through."""
    for rung, after in pairwise(rungs):
        if after.per_s < rung.per_s * (1 + KNEE):
            return rung.clients
    return rungs[-1].clients


def _rung(stage: Stage, plan: FunctionPlan, calls: tuple[Call, ...], count: int, seconds_each: float) -> Rung:
    scenario = Scenario(
        name="scale",
        workload=Workload(
            duration_s=seconds_each,
            warmup_s=seconds_each * WARMUP_SHARE,
            drain_s=DRAIN_S,
            clients=Clients(count=count),
        ),
        functions=(plan,),
        record=Record(sample_s=3600.0),
    )
    keeper = NullRecorder(scenario, "live", 0.0)
    totals = perform(scenario, stage, keeper, schedule=Schedule(scenario), calls=calls).totals
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


def show(name: str, rungs: list[Rung], width: int | None = None) -> None:
    from rich.table import Table

    screen = console(width=width)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("clients", "per second"):
        table.add_column(heading, justify="right")
    table.add_column("", style="green", min_width=WIDTH)
    for heading in ("mean ms", "p50", "p99", "failed"):
        table.add_column(heading, justify="right")
    most = max(rung.per_s for rung in rungs) or 1.0
    for rung in rungs:
        times = (milliseconds(value) for value in (rung.mean_ms, rung.p50_ms, rung.p99_ms))
        failed = f"[red]{rung.failed}[/]" if rung.failed else ""
        bar = "█" * max(1, round(WIDTH * rung.per_s / most))
        table.add_row(str(rung.clients), f"{rung.per_s:,.0f}", bar, *times, failed)
    screen.print(table)
    at = knee(rungs)
    if at < rungs[-1].clients:
        screen.print(f"[cyan]{name}[/] gets hardly more through from [bold]{at}[/] clients on")
