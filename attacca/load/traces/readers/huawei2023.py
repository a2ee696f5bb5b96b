"""Huawei 2023, private and public: wide files per day, a row per minute (or second) and a column per function.

Public has requests only. Private has delays of each minute as well, in milliseconds, averaged over the pods: a
function's percentiles are those of its minutes. Memory is the limit of all pods over their number. Days that the data
lack stay silent.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from attacca.errors import BadTrace
from attacca.load.traces.draws import MEMORY_MB, Floats, Quantiles, keys, unknown_durations_ms
from attacca.load.traces.readers.counted import Counted
from attacca.load.traces.readers.counts import Counts
from attacca.load.traces.readers.csvfile import COUNT_MAX, Kind, blocks, header
from attacca.load.traces.reading import Reading
from attacca.load.traces.types import function_table

DAY = re.compile(r"day_(\d{1,6})\.csv(\.gz)?\Z")
DAY_S, DAY_MINUTES = 86_400, 1440
REQUESTS = {"requests_minute": 60.0, "requests_second": 1.0}
PERCENTILES = (0, 1, 25, 50, 75, 99, 100)
HINT = "see that day_NNN.csv has the times of that day"
APP = "huawei"  # the trace does not say whose a function is


def is_huawei2023(path: Path) -> bool:
    return path.is_dir() and _requests(path) is not None


def _requests(path: Path) -> Path | None:
    """Per minute if there, else per second; a directory of one of them may be given itself."""
    if path.name in REQUESTS and _days(path):
        return path
    return next((path / name for name in REQUESTS if _days(path / name)), None)


def _days(folder: Path) -> dict[int, Path]:
    return {int(match[1]): path for path in sorted(folder.glob("day_*.csv*")) if (match := DAY.search(path.name))}


def read(path: Path, reading: Reading) -> Counted:
    """
    Raises:
        BadTrace: there are no requests, or rows that cannot be read.
    """
    folder = _requests(path)
    if folder is None:
        raise BadTrace(
            f"{path}: there is no requests_minute/day_*.csv", "give the directory that holds requests_minute"
        )
    days = _days(folder)
    first = min(days)
    wanted = [day for day in days if day == first or reading.wants((day - first) * DAY_MINUTES, DAY_MINUTES)]
    names = header(days[first])[2:]
    bin_s = REQUESTS[folder.name]
    counts, last = Counts(), 0
    for day in wanted:
        for times, values in _rows(days[day], names, reading):
            cells = (times - first * DAY_S) // int(bin_s)
            if cells.min() < 0 or cells.max() > COUNT_MAX or values.max(initial=0) > COUNT_MAX:
                raise BadTrace(f"{days[day]}: a time is before its first day, or a number is over {COUNT_MAX}", HINT)
            last = max(last, int(times[-1]) // int(bin_s) + 1)
            row, column = np.nonzero(values)
            counts.add(cells[row], column, np.rint(values[row, column]))
        counts.seal()
    table, quantiles, notes = _described(folder.parent, wanted, names, reading)
    reading.bad.settle()
    bins = (0, last - int(first * DAY_S / bin_s))
    return Counted(table, counts, quantiles, reading, bin_s=bin_s, bins=bins, notes=notes)


def _rows(path: Path, names: list[str], reading: Reading) -> Iterator[tuple[np.ndarray, Floats]]:
    """Seconds since the data's beginning, and a column per function; what is missing is 0."""
    kinds: dict[str, Kind] = {"time": "amount", **dict.fromkeys(names, "maybe")}
    for block in blocks(path, kinds, reading.bad):
        values = block.select(pl.col(names).fill_nan(None).fill_null(0.0)).to_numpy()
        yield block["time"].cast(pl.Int64).to_numpy(), values


def _described(
    folder: Path, days: list[int], names: list[str], reading: Reading
) -> tuple[pl.DataFrame, Quantiles, tuple[str, ...]]:
    """The functions' table, their durations, and what had to be made up."""
    delays = _stacked(folder / "function_delay_minute", days, names, reading)
    made_up = unknown_durations_ms(reading.seed, keys(names))
    values, means, without = _percentiles(delays, made_up)
    memory = _memory(folder, days, names, reading)
    notes = (
        *((f"the trace has no durations of {without} functions: theirs are made up",) * bool(without)),
        *((f"the trace has no memory: {MEMORY_MB} MB for each function",) * (memory is None)),
        "the trace has no triggers",
    )
    table = pl.DataFrame({"function": names}, schema={"function": pl.String}).with_columns(
        app=pl.lit(APP), trigger=pl.lit("others"), duration_ms=pl.Series(means), invocations=0,
        memory_mb=pl.Series(memory) if memory is not None else pl.lit(MEMORY_MB),
        **{f"p{level}_ms": pl.Series(values[:, column]) for column, level in enumerate(PERCENTILES)},
    )  # fmt: skip
    return function_table(table), Quantiles(np.array(PERCENTILES) / 100, values, means), notes


def _stacked(folder: Path, days: list[int], names: list[str], reading: Reading) -> np.ndarray | None:
    """All minutes of a metric below one another; 0 where nothing was measured."""
    files = _days(folder)
    parts = [
        values.astype(np.float32)
        for day in days if day in files
        for _, values in _rows(files[day], [name for name in names if name in header(files[day])], reading)
    ]  # fmt: skip
    return np.concatenate(parts) if parts and parts[0].shape[1] == len(names) else None


def _percentiles(delays: np.ndarray | None, made_up: Floats) -> tuple[Floats, Floats, int]:
    """Per function; and how many had to be made up."""
    values = made_up.copy()
    means = Quantiles(np.array(PERCENTILES) / 100, made_up, np.full(len(made_up), np.nan)).means()
    without = len(made_up)
    for row in range(len(made_up) if delays is not None else 0):
        measured = delays[:, row][delays[:, row] > 0] if delays is not None else made_up
        if len(measured):
            values[row], means[row] = np.percentile(measured, PERCENTILES), measured.mean()
            without -= 1
    return values, means, without


def _memory(folder: Path, days: list[int], names: list[str], reading: Reading) -> np.ndarray | None:
    limits = _stacked(folder / "memory_limit_minute", days, names, reading)
    if limits is None:
        return None
    pods = _stacked(folder / "instances_minute", days, names, reading)
    if pods is None or pods.shape != limits.shape:
        pods = (limits > 0).astype(np.float32)
    known = (limits > 0) & (pods > 0)
    total, number = np.where(known, limits, 0).sum(axis=0), np.where(known, pods, 0).sum(axis=0)
    each = np.ceil(total / np.maximum(number, 1e-9))
    return np.where(number > 0, np.maximum(each, 1), MEMORY_MB)
