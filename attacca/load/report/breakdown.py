"""What a run is broken down into: the parts of an invocation's time, and the platform over time."""

import math
from typing import Final

import polars as pl

from attacca.load.report.digest import PARTS, STARTS, Bar, Gantt, Series

COUNT: Final = 5  # bars of each group of single invocations
NAME_MOST: Final = 20  # letters: names of traces are hashes


def with_parts(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns of seconds that add up to the response. A moment that was not recorded gives its part to the next."""
    sent = pl.coalesce("sent", "due")
    entered = pl.coalesce("enq", sent)
    begun = pl.coalesce("exec_begin", "ready", "deq", "recv")
    made_from = pl.coalesce("cold_begin", begun).clip(entered, begun)
    made_to = pl.coalesce("ready", made_from).clip(made_from, begun)
    is_made = pl.col("cold_begin").is_not_null()
    left = pl.when(is_made).then(made_from).otherwise(pl.coalesce("deq", begun).clip(entered, begun))
    ended = pl.coalesce("exec_end", begun)
    return rows.with_columns(
        late=(sent - pl.col("due")).clip(0.0),
        sending=(entered - sent).clip(0.0),
        queued=(left - entered).clip(0.0),
        making=pl.when(is_made).then(made_to - made_from).otherwise(0.0),
        handing=(begun - pl.when(is_made).then(made_to).otherwise(left)).clip(0.0),
        running=(ended - begun).clip(0.0),
        answering=(pl.col("recv") - ended).clip(0.0),
    )


def split(answered: pl.DataFrame) -> list[Bar]:
    """The mean of each kind of start, from warm to cold."""
    bars = []
    for start in STARTS:
        some = answered.filter(pl.col("start") == start)
        if len(some):
            means = some.select(pl.col(PARTS).mean()).row(0)
            bars.append(Bar(start, len(some), [float(value or 0.0) for value in means]))
    return bars


def gantt(answered: pl.DataFrame) -> list[Gantt]:
    """Single invocations: those around the median, those around the 99th percentile, and the slowest."""
    if len(answered) < COUNT:
        return []
    ordered = answered.sort("response", "idx")
    count = len(ordered)
    places = {"around the median": 0.5, "around the 99th percentile": 0.99, "the slowest": 1.0}
    starts = {title: min(int(count * share) - COUNT // 2, count - COUNT) for title, share in places.items()}
    return [Gantt(title, _bars(ordered[max(at, 0) : max(at, 0) + COUNT])) for title, at in starts.items()]


def _bars(rows: pl.DataFrame) -> list[Bar]:
    wanted = rows.select(
        pl.format("{} #{} {}", pl.col("func").cast(pl.String).str.head(NAME_MOST), "idx", "start"), *PARTS
    )
    return [Bar(row[0], 1, [float(value or 0.0) for value in row[1:]]) for row in wanted.iter_rows()]


BINS: Final = 400
GAUGES: Final = ("sandboxes", "busy", "queued", "memory_mb")


def series(rows: pl.DataFrame, samples: pl.DataFrame, step_s: float = 0.0) -> Series:
    """`step_s`: how often the platform was looked at, once in each step, if that is known."""
    if rows.is_empty():
        return Series(1.0)
    length_s = float(rows["due"].max() or 0.0)  # type: ignore[arg-type]
    every_s = max(1.0, length_s / BINS)
    step_s = step_s or _step(samples)
    if step_s > 0:  # whole steps, lest a bin has no sample
        every_s = math.ceil(every_s / step_s - 1e-9) * step_s
    bins = pl.DataFrame({"bin": range(int(length_s // every_s) + 1)}, schema={"bin": pl.Int64})
    arrivals = _binned(rows, "due", every_s).agg(pl.len().alias("arrivals"))
    gauges = _binned(added(samples), "t", every_s).agg(pl.col(GAUGES).mean())
    frame = bins.join(arrivals, on="bin", how="left").join(gauges, on="bin", how="left").sort("bin")
    return Series(
        every_s,
        [(index + 0.5) * every_s for index in frame["bin"]],
        [(count or 0) / every_s for count in frame["arrivals"]],
        *(frame[name].to_list() for name in GAUGES),
    )


def added(samples: pl.DataFrame) -> pl.DataFrame:
    """One row per moment: the sum over the workers."""
    return samples.group_by("t").agg(pl.col(GAUGES).sum()).sort("t")


def _step(samples: pl.DataFrame) -> float:
    """How often the platform was looked at."""
    steps = samples["t"].unique().sort().diff().drop_nulls()
    return round(float(steps.median()), 3) if len(steps) else 0.0  # type: ignore[arg-type]


def _binned(frame: pl.DataFrame, column: str, every_s: float) -> "pl.dataframe.group_by.GroupBy":
    return frame.group_by((pl.col(column) // every_s).cast(pl.Int64).alias("bin"))


def time_mean(samples: pl.DataFrame, column: str, unit: float = 1.0) -> float | None:
    """There is one sample in each interval of the same length, so that their plain mean is the mean over time."""
    value = added(samples)[column].mean()
    return value / unit if isinstance(value, float) else None


def idle_share(samples: pl.DataFrame) -> float | None:
    there, busy = time_mean(samples, "sandboxes"), time_mean(samples, "busy")
    return 1.0 - busy / there if there and busy is not None else None
