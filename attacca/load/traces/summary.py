"""What a trace is, from one walk through it: counts, rates, skew, triggers, percentiles, the rhythm of the busiest."""

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from attacca.load.traces.draws import Floats
from attacca.load.traces.sketch import Sketch
from attacca.load.traces.types import MINUTE_S, TRIGGERS, Trace

LEVELS = (0.1, 0.5, 0.9, 0.99)
TOPS = (0.001, 0.01, 0.1, 0.5)
BARS = " ▁▂▃▄▅▆▇█"


class Share(msgspec.Struct, frozen=True):
    trigger: str
    functions: int
    invocations: int


class Busy(msgspec.Struct, frozen=True):
    """One of the busiest functions; `rhythm` is its invocations in as many equal parts of the trace."""

    function: str
    trigger: str
    memory_mb: int
    duration_ms: float
    invocations: int
    share: float
    rhythm: list[int]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    functions: int
    applications: int
    silent: int
    invocations: int
    length_s: float
    rate_mean: float  # per second
    minute_least: int
    minute_most: int
    concurrency: float  # invocations that run at once, on average, when each starts as it arrives
    skew: dict[str, float]  # share of functions, of invocations
    triggers: list[Share]
    function_duration_ms: dict[str, float]  # over functions, of their averages
    invocation_duration_ms: dict[str, float]  # over invocations
    memory_mb: dict[str, float]  # over functions
    rhythm: list[int]
    top: list[Busy]
    notes: list[str]


class Walk:
    """Invocations by function and minute, and their durations."""

    def __init__(self, trace: Trace) -> None:
        self.minutes = max(1, int(np.ceil(trace.length_s / MINUTE_S - 1e-9)))
        functions = trace.functions.height
        self.parts = min(self.minutes, 480)
        self.by_part: npt.NDArray[np.int64] = np.zeros((functions, self.parts), dtype=np.int64)
        self.by_minute: npt.NDArray[np.int64] = np.zeros(self.minutes, dtype=np.int64)
        self.durations = Sketch(1)
        for chunk in trace.invocations():
            rows = chunk["function"].to_numpy().astype(np.int64)
            minutes = np.minimum((chunk["arrival_s"].to_numpy() / MINUTE_S).astype(np.int64), self.minutes - 1)
            self.by_minute += np.bincount(minutes, minlength=self.minutes)
            cells = rows * self.parts + minutes * self.parts // self.minutes
            self.by_part += np.bincount(cells, minlength=self.by_part.size).reshape(self.by_part.shape)
            self.durations.add(np.zeros(len(rows), dtype=np.int64), chunk["duration_ms"].to_numpy())
        self.totals: npt.NDArray[np.int64] = self.by_part.sum(axis=1)

    def __repr__(self) -> str:
        return f"<Walk {int(self.totals.sum())} invocations in {self.minutes} minutes>"


def summarise(trace: Trace, top: int = 10, width: int = 48, walk: Walk | None = None) -> Summary:
    walk = walk or Walk(trace)
    table = trace.functions.with_columns(invocations=pl.Series(walk.totals))
    total = int(walk.totals.sum())
    busiest = np.argsort(-walk.totals, kind="stable")[:top].tolist()
    return Summary(
        functions=table.height, applications=table["app"].n_unique(), silent=int((walk.totals == 0).sum()),
        invocations=total, length_s=trace.length_s, rate_mean=total / trace.length_s if trace.length_s else 0.0,
        minute_least=int(walk.by_minute.min()), minute_most=int(walk.by_minute.max()),
        concurrency=float(walk.durations.sums[0]) / 1000 / trace.length_s if trace.length_s else 0.0,
        skew=skew(walk.totals), triggers=_triggers(table),
        function_duration_ms=levels(table["duration_ms"].drop_nulls().to_numpy()),
        invocation_duration_ms={_name(level): float(walk.durations.quantile(level)[0]) for level in LEVELS if total},
        memory_mb=levels(table["memory_mb"].drop_nulls().to_numpy().astype(np.float64)),
        rhythm=gathered(walk.by_minute, width), notes=list(trace.notes),
        top=[_busy(table.row(row, named=True), walk.by_part[row], total, width) for row in busiest],
    )  # fmt: skip


def skew(totals: npt.NDArray[np.int64]) -> dict[str, float]:
    """The share of invocations that the busiest functions have."""
    ordered = np.sort(totals)[::-1]
    total = max(int(ordered.sum()), 1)
    tops = [(top, round(len(ordered) * top)) for top in TOPS]
    return {f"{top * 100:g} %": float(ordered[:many].sum() / total) for top, many in tops if many}


def levels(values: Floats) -> dict[str, float]:
    if len(values) == 0:
        return {}
    quantiles = np.quantile(values, LEVELS, method="lower")
    return {_name(level): float(value) for level, value in zip(LEVELS, quantiles, strict=True)}


def gathered(counts: npt.NDArray[np.int64], parts: int) -> list[int]:
    """The same counts in at most so many equal parts of time."""
    parts = min(parts, len(counts))
    whose = np.arange(len(counts)) * parts // len(counts)
    return [int(value) for value in np.bincount(whose, weights=counts, minlength=parts)]


def sparkline(counts: list[int]) -> str:
    """Blank only where there is nothing at all."""
    most = max(counts, default=0)
    steps = len(BARS) - 1
    return "".join(BARS[0 if count == 0 else max(1, round(count / most * steps))] for count in counts)


def _name(level: float) -> str:
    return f"p{level * 100:g}"


def _triggers(table: pl.DataFrame) -> list[Share]:
    grouped = table.group_by("trigger").agg(pl.len(), pl.col("invocations").sum())
    shares = {trigger: Share(trigger, functions, calls) for trigger, functions, calls in grouped.iter_rows()}
    known = [shares.pop(trigger) for trigger in TRIGGERS if trigger in shares]
    return sorted(known + [shares[trigger] for trigger in sorted(shares)], key=lambda share: -share.functions)


def _busy(row: dict[str, object], counts: npt.NDArray[np.int64], total: int, width: int) -> Busy:
    invocations = int(counts.sum())
    return Busy(
        function=str(row["function"]), trigger=str(row["trigger"]), memory_mb=int(str(row["memory_mb"] or 0)),
        duration_ms=float(str(row["duration_ms"] or 0.0)), invocations=invocations, share=invocations / max(total, 1),
        rhythm=gathered(counts, width),
    )  # fmt: skip
