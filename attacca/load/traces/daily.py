"""Writers of the formats that count by minute and have a file for each day: Azure 2019 and Huawei 2023."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from attacca.load.traces.sketch import Sketch
from attacca.load.traces.types import MINUTE_S, Trace

DAY_MINUTES = 1440
PERCENTILES = (0, 1, 25, 50, 75, 99, 100)
MEMORY_PERCENTILES = (1, 5, 25, 50, 75, 95, 99, 100)


class Day:
    """What the functions did in each minute of one day."""

    def __init__(self, number: int, functions: int, minutes: int) -> None:
        self.number = number
        self.counts: npt.NDArray[np.uint32] = np.zeros((functions, minutes), dtype=np.uint32)
        self.durations_ms: npt.NDArray[np.float64] = np.zeros((functions, minutes))

    def __repr__(self) -> str:
        return f"<Day {self.number}: {int(self.counts.sum())} invocations>"

    def add(
        self, rows: npt.NDArray[np.integer], minutes: npt.NDArray[np.int64], durations_ms: npt.NDArray[np.float64]
    ) -> None:
        cells = rows.astype(np.int64) * self.counts.shape[1] + minutes
        size = self.counts.size
        self.counts += np.bincount(cells, minlength=size).reshape(self.counts.shape).astype(np.uint32)
        self.durations_ms += np.bincount(cells, weights=durations_ms, minlength=size).reshape(self.counts.shape)


def days(trace: Trace, sketch: Sketch | None = None) -> Iterator[Day]:
    """One after another; silent ones too."""
    total = max(1, int(np.ceil(trace.length_s / MINUTE_S - 1e-9)))
    functions = trace.functions.height

    def day(number: int) -> Day:
        return Day(number, functions, min(DAY_MINUTES, total - number * DAY_MINUTES))

    today = day(0)
    for chunk in trace.invocations():
        rows, durations = chunk["function"].to_numpy(), chunk["duration_ms"].to_numpy()
        minutes = np.minimum((chunk["arrival_s"].to_numpy() / MINUTE_S).astype(np.int64), total - 1)
        if sketch is not None:
            sketch.add(rows, durations)
        for number in range(today.number, int(minutes[-1]) // DAY_MINUTES + 1):
            while today.number < number:
                yield today
                today = day(today.number + 1)
            mine = minutes // DAY_MINUTES == number
            today.add(rows[mine], minutes[mine] % DAY_MINUTES, durations[mine])
    yield today
    for number in range(today.number + 1, -(-total // DAY_MINUTES)):
        yield day(number)


def write_azure2019(trace: Trace, path: Path) -> None:
    """InVitro's three files; where there are several days, Azure's names for the counts of each."""
    sketch = Sketch(trace.functions.height)
    owners = trace.functions.select(HashOwner="app", HashApp="app", HashFunction="function")
    is_one_day = trace.length_s <= DAY_MINUTES * MINUTE_S
    for day in days(trace, sketch):
        columns = {str(minute + 1): day.counts[:, minute] for minute in range(day.counts.shape[1])}
        name = "invocations.csv" if is_one_day else f"invocations_per_function_md.anon.d{day.number + 1:02d}.csv"
        frame = owners.with_columns(Trigger=trace.functions["trigger"])
        frame.hstack(pl.DataFrame(columns)).write_csv(path / name)
    _durations(trace, sketch, owners).write_csv(path / "durations.csv")
    memory = pl.col("memory_mb")
    more = {f"AverageAllocatedMb_pct{level}": memory for level in MEMORY_PERCENTILES}
    sizes = trace.functions.select(SampleCount=pl.lit(1), AverageAllocatedMb=memory, **more)
    owners.select("HashFunction", "HashOwner", "HashApp").hstack(sizes).write_csv(path / "memory.csv")


def _durations(trace: Trace, sketch: Sketch, owners: pl.DataFrame) -> pl.DataFrame:
    """The percentiles that the trace came with, or else those of what was written. As in the release, all are whole
    milliseconds, least and most written as decimals."""
    table = trace.functions
    names = [f"p{level}_ms" for level in PERCENTILES]
    mean = np.where(sketch.counts > 0, sketch.means(), table["duration_ms"].to_numpy())
    if set(names) <= set(table.columns):
        values = table.select(names).to_numpy()
        mean = table["duration_ms"].to_numpy()
    else:
        ends = {0: sketch.least, 100: sketch.most}
        values = np.column_stack([ends.get(level, sketch.quantile(level / 100)) for level in PERCENTILES])
        values = np.where(sketch.counts[:, None] > 0, values, mean[:, None])
    whole = np.maximum(np.rint(values), 1.0)
    columns = {
        "Average": np.maximum(np.rint(mean), 1.0).astype(np.int64), "Count": table["invocations"].to_numpy(),
        "Minimum": whole[:, 0], "Maximum": whole[:, -1],
        **{f"percentile_Average_{level}": whole[:, at].astype(np.int64) for at, level in enumerate(PERCENTILES)},
    }  # fmt: skip
    return owners.hstack(pl.DataFrame(columns))


def write_huawei2023(trace: Trace, path: Path) -> None:
    """A function's number is its row. Memory is written as the limit of one pod."""
    rows = range(trace.functions.height)
    memory = trace.functions["memory_mb"].cast(pl.Float64).to_numpy()
    for name in ("requests_minute", "function_delay_minute", "memory_limit_minute", "instances_minute"):
        (path / name).mkdir()
    for day in days(trace):
        minutes = np.arange(day.counts.shape[1])
        times = pl.DataFrame(
            {"day": np.full(len(minutes), day.number), "time": (minutes + day.number * DAY_MINUTES) * 60}
        )
        some = day.counts > 0
        delay = np.where(some, day.durations_ms / np.maximum(day.counts, 1), np.nan)
        tables = {
            "requests_minute": np.where(some, day.counts, np.nan), "function_delay_minute": delay,
            "memory_limit_minute": np.where(some, memory[:, None], np.nan),
            "instances_minute": np.where(some, 1.0, np.nan),
        }  # fmt: skip
        for name, values in tables.items():
            columns = pl.DataFrame({str(row): values[row] for row in rows}).fill_nan(None)
            times.hstack(columns).write_csv(path / name / f"day_{day.number:03d}.csv")
