"""What a scenario wants sent when: one ascending stream of invocations from shapes and a trace, live and simulated.

Walking it again yields the same. It is drawn while it is walked, so that its length costs no memory.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from attacca.kernel.rand import Streams
from attacca.load.workload.distributions import mean_ms, sampler
from attacca.load.workload.scenario import Distribution, FunctionPlan, Scenario, TraceUse, plans_of
from attacca.load.workload.shapes import arrivals, check

if TYPE_CHECKING:
    import polars as pl

    from attacca.load.traces.types import Trace

WARMUP, RUN = "warmup", "run"
LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
DEFAULT_TRIGGER = "http"
TIMEOUT_S = (
    300.0  # at least, of a trace's function; beyond it twice what the scenario lets one take: nothing is cut off
)

Arrival = tuple[float, int, float]  # when, which function, for how many milliseconds


class Due(msgspec.Struct, frozen=True, gc=False):
    """One invocation that the schedule wants. `function` is a place in `Schedule.functions`."""

    idx: int
    due_s: float
    function: int
    duration_ms: float
    phase: str


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A function that is called. `plan.name` is what it is deployed as, `label` what it is called in the records."""

    plan: FunctionPlan
    label: str
    app: str
    trigger: str
    mean_ms: float
    is_cold_traced: bool = False  # what a cold start takes is the trace's word

    @property
    def name(self) -> str:
        return self.plan.name


class Schedule:
    """Functions of the scenario come first, in its order, then those that only the trace knows, in its order."""

    def __init__(self, scenario: Scenario, trace: "Trace | None" = None) -> None:
        """`trace`: in place of what workload.trace names.

        Raises:
            BadConfig: a shape, a duration or the trace makes no sense.
        """
        self.scenario = scenario
        use = scenario.workload.trace
        if trace is None and use is not None:
            from attacca.load.traces import open_trace

            trace = open_trace(use, scenario.seed)
        self._trace = trace
        self.plans = plans_of(scenario)
        for plan in self.plans:
            if plan.shape is not None:
                check(plan.shape)
        targets = [_of_plan(plan) for plan in self.plans]
        self._places: list[int] = []  # of each function of the trace, its place in `functions`
        if trace is not None:
            self._places = _join(targets, trace.functions, use or TraceUse(path=""))
        self.functions: tuple[Target, ...] = tuple(targets)
        self.length_s = _length(scenario, trace)

    def __repr__(self) -> str:
        return f"<Schedule {len(self.functions)} functions in {self.length_s:g} s>"

    def __iter__(self) -> Iterator[Due]:
        """See `arrivals`."""
        warmup_s = self.scenario.workload.warmup_s
        for idx, (at, function, duration_ms) in enumerate(self.arrivals()):
            yield Due(idx, at, function, duration_ms, RUN if at >= warmup_s else WARMUP)

    def arrivals(self) -> Iterator[Arrival]:
        """Ascending by time; what is due at once comes in the order of the functions, or as the trace has it."""
        sources = self._sources()
        return sources[0] if len(sources) == 1 else merge(*sources)

    def _sources(self) -> list[Iterator[Arrival]]:
        streams = Streams(self.scenario.seed)
        sources = [
            self._of_shape(plan, number, streams) for number, plan in enumerate(self.plans) if plan.shape is not None
        ]
        if self._trace is not None:
            sources.append(chain.from_iterable(self._of_trace(self._trace)))
        return sources

    def _of_shape(self, plan: FunctionPlan, number: int, streams: Streams) -> Iterator[Arrival]:
        assert plan.shape is not None
        draw = sampler(plan.duration, streams.stream(f"duration/{plan.name}"))
        for at in arrivals(plan.shape, streams.stream(f"arrivals/{plan.name}"), self.length_s):
            yield at, number, draw()

    def _of_trace(self, trace: "Trace") -> Iterator[Iterable[Arrival]]:
        """Chunk by chunk: no Python runs for a row."""
        place = self._places.__getitem__
        for chunk in trace.invocations():
            at = chunk["arrival_s"].to_list()
            whole = len(at)
            del at[bisect_left(at, self.length_s) :]
            yield zip(at, map(place, chunk["function"].to_list()), chunk["duration_ms"].to_list(), strict=False)
            if len(at) < whole:
                return

    def unmeasured(self) -> list[str]:
        """Why nothing would be measured, where that is so."""
        warmup_s = self.scenario.workload.warmup_s
        if warmup_s < self.length_s:
            return []
        return [f"the warm-up ({warmup_s:g} s) is as long as the run ({self.length_s:g} s): nothing is left to measure"]

    def counts(self) -> dict[int, tuple[float, float]]:
        """Of each function that is called: how many invocations, and the milliseconds of them all. Shapes: expected."""
        from attacca.load.workload.shapes import expected_count

        counts: dict[int, tuple[float, float]] = {}
        for number, plan in enumerate(self.plans):
            if plan.shape is not None:
                many = expected_count(plan.shape, self.length_s)
                counts[number] = (many, many * mean_ms(plan.duration))
        if self._trace is not None:
            for chunk in self._trace.invocations():
                self._count(chunk, counts)
        return counts

    def _count(self, chunk: "pl.DataFrame", sums: dict[int, tuple[float, float]]) -> None:
        import polars as pl

        part = chunk.filter(pl.col("arrival_s") < self.length_s).group_by("function")
        for function, many, total_ms in part.agg(pl.len(), pl.col("duration_ms").sum()).iter_rows():
            number = self._places[function]
            before, before_ms = sums.get(number, (0.0, 0.0))
            sums[number] = (before + many, before_ms + total_ms)


def label_of(name: str, taken: Mapping[str, object], number: int) -> str:
    """A name under which a trace's function can be deployed: its own where that is possible, else made of it."""
    if LABEL.fullmatch(name) and name not in taken:
        return name
    short = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:12].strip("-")
    return f"f{number}-{short}" if short else f"f{number}"


def _of_plan(plan: FunctionPlan) -> Target:
    return Target(
        plan=plan, label=plan.name, app=plan.name, trigger=DEFAULT_TRIGGER, mean_ms=mean_ms(plan.duration)
    )  # fmt: skip


def _join(targets: list[Target], table: "pl.DataFrame", use: TraceUse) -> list[int]:
    """Adds the trace's functions. One that the scenario names keeps the scenario's settings."""
    by_name = {target.name: number for number, target in enumerate(targets)}
    places = []
    columns = [table[name].to_list() for name in ("function", "app", "trigger", "memory_mb", "duration_ms")]
    columns.append(_colds(table, use))
    for number, (function, app, trigger, memory_mb, duration_ms, cold) in enumerate(zip(*columns, strict=True)):
        place = by_name.get(function)
        if place is not None and place < len(targets):
            known = targets[place].plan
            targets[place] = msgspec.structs.replace(
                targets[place],
                plan=known if known.cold is not None else msgspec.structs.replace(known, cold=cold),
                app=app,
                trigger=trigger,
                mean_ms=duration_ms or 0.0,
                is_cold_traced=known.cold is None and cold is not None,
            )
        else:
            place = len(targets)
            name = label_of(function, by_name, number)
            by_name[name] = place
            plan = FunctionPlan(
                name=name,
                memory_mb=max(memory_mb or 0, use.memory_least_mb),
                duration=Distribution(mean_ms=duration_ms or 0.0),
                cold=cold,
                body=use.body,
                timeout_s=max(TIMEOUT_S, 2 * use.duration_most_ms / 1000),
            )
            targets.append(
                Target(
                    plan=plan, label=function, app=app, trigger=trigger, mean_ms=duration_ms or 0.0,
                    is_cold_traced=cold is not None,
                )
            )  # fmt: skip
        places.append(place)
    return places


def _colds(table: "pl.DataFrame", use: TraceUse) -> list[Distribution | None]:
    """Of each function: what its cold starts take. A start that takes no time is one that nobody has measured."""
    if use.cold == "hardware" or "cold_ms" not in table.columns:
        return [None] * table.height
    return [Distribution(mean_ms=cold_ms) if cold_ms else None for cold_ms in table["cold_ms"].to_list()]


def _length(scenario: Scenario, trace: "Trace | None") -> float:
    lengths = [trace.length_s] if trace is not None else []
    if scenario.workload.duration_s is not None:
        lengths.append(scenario.workload.duration_s)
    return min(lengths)
