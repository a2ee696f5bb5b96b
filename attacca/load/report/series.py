"""The platform over time: samples of all workers added up, in as many bins as a figure has room for."""

import math
from typing import Final

import polars as pl

from attacca.load.report.digest import Series

BINS: Final = 400
GAUGES: Final = ("sandboxes", "busy", "queued", "memory_mb")


def series(rows: pl.DataFrame, samples: pl.DataFrame) -> Series:
    if rows.is_empty():
        return Series(1.0)
    length_s = float(rows["due"].max() or 0.0)  # type: ignore[arg-type]
    every_s = max(1.0, length_s / BINS)
    step_s = _step(samples)
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
