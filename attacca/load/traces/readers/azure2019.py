"""Azure Functions 2019: counts per minute, durations per function, memory per app, in three families of CSV files.

A directory has either Azure's own names, one file per day, or InVitro's three files (Dirigent uses them too), whose
memory is per function. InVitro's early samples say `minute_1` for `1`, know no triggers, and have a memory per app.
Functions that lack a duration or a memory are left out, as InVitro does; the memory of an app
is divided evenly among its functions. Minutes need not begin at 1: the first column that there is begins the trace.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from attacca.errors import BadTrace
from attacca.load.traces.draws import Quantiles
from attacca.load.traces.readers.counted import Counted
from attacca.load.traces.readers.counts import Counts
from attacca.load.traces.readers.csvfile import TYPES, Kind, blocks, header
from attacca.load.traces.reading import Bad, Reading
from attacca.load.traces.types import function_table

DAY = re.compile(r"\.d(\d{1,6})\.csv(\.gz)?\Z")
MINUTE = re.compile(r"(?:minute_)?(0|[1-9][0-9]{0,8})", re.IGNORECASE)
DAY_MINUTES = 1440
PERCENTILES = (0, 1, 25, 50, 75, 99, 100)
UNTOLD = "others"  # the trigger of functions of which none is told
LEAST_MS = 1.0  # durations are whole milliseconds in the trace; 0 stands for less than one
FAMILIES = {
    "invocations": ("invocations_per_function_md.anon.d*.csv*", "invocations.csv"),
    "durations": ("function_durations_percentiles.anon.d*.csv*", "durations.csv"),
    "memory": ("app_memory_percentiles.anon.d*.csv*", "memory.csv"),
}
KEY = ["app", "function"]


def is_azure2019(path: Path) -> bool:
    folder = path if path.is_dir() else path.parent
    return bool(_family(folder, "invocations")) and (path.is_dir() or path in _family(folder, "invocations"))


def _family(folder: Path, name: str) -> list[Path]:
    named, plain = FAMILIES[name]
    return sorted(folder.glob(named), key=_day) or [path for path in (folder / plain,) if path.exists()]


def _day(path: Path) -> int:
    match = DAY.search(path.name)
    return int(match[1]) if match else 1


def read(path: Path, reading: Reading) -> Counted:
    """A directory, or one file of invocations: then that day alone.

    Raises:
        BadTrace: a family is missing, or has rows that cannot be read.
    """
    folder = path if path.is_dir() else path.parent
    days = [path] if path.is_file() else _wanted(_family(folder, "invocations"), reading)
    durations, memory = _family(folder, "durations"), _family(folder, "memory")
    for name, files in (("invocations", days), ("durations", durations), ("memory", memory)):
        if not files:
            hint = f"put {FAMILIES[name][1]} or {FAMILIES[name][0]} beside the others"
            raise BadTrace(f"{folder}: the files of {name} are missing", hint)
    known = _durations(durations, reading.bad)
    counted = _Invocations(known.select(KEY).rows(), reading.bad)
    for day in days:
        counted.read(day, (_day(day) - _day(days[0])) * DAY_MINUTES)
    functions = counted.functions().join(known, on=KEY, how="left", maintain_order="left")
    functions = _with_memory(functions, memory, reading.bad)
    reading.bad.settle()
    return _trace(functions, counted, reading)


def _wanted(days: list[Path], reading: Reading) -> list[Path]:
    """Only the days that the window touches; the first always, since the trace begins with it."""
    return [
        day for day in days
        if day == days[0] or reading.wants((_day(day) - _day(days[0])) * DAY_MINUTES, DAY_MINUTES)
    ]  # fmt: skip


def _trace(functions: pl.DataFrame, counted: "_Invocations", reading: Reading) -> Counted:
    has_all = functions["memory_mb"].is_not_null().to_numpy()
    left_out = int((~has_all).sum()) + len(counted.unknown)
    notes = (f"{left_out} functions without a duration or a memory are left out",) * bool(left_out)
    names = functions.select(
        pl.when(pl.col("function").is_duplicated()).then(pl.col("function") + "@" + pl.col("app"))
        .otherwise(pl.col("function")).alias("function")
    )  # fmt: skip
    functions = functions.with_columns(names, invocations=0, memory_mb=pl.col("memory_mb").fill_null(0))
    values = functions.select(f"p{level}_ms" for level in PERCENTILES).to_numpy()
    values = np.maximum.accumulate(np.maximum(values, LEAST_MS), axis=1)
    means = np.maximum(functions["duration_ms"].to_numpy(), LEAST_MS)
    quantiles = Quantiles(np.array(PERCENTILES) / 100, values, means)
    functions = function_table(functions).with_columns(duration_ms=pl.Series(means))
    bins = (counted.first, counted.last)
    trace = Counted(functions, counted.counts, quantiles, reading, bin_s=60.0, bins=bins, notes=notes)
    return trace if has_all.all() else trace.only(np.flatnonzero(has_all).tolist())


class _Invocations:
    """Counts of the functions whose durations are known; rows are numbered as they come."""

    def __init__(self, known: list[tuple[str, str]], bad: Bad) -> None:
        self.known = set(known)
        self.bad = bad
        self.rows: dict[tuple[str, str], int] = {}
        self.triggers: list[str] = []
        self.unknown: dict[tuple[str, str], None] = {}
        self.counts = Counts()
        self.first, self.last = 2**31, 0

    def __repr__(self) -> str:
        return f"<_Invocations {len(self.rows)} functions, {self.counts!r}>"

    def read(self, path: Path, offset: int) -> None:
        names = header(path)
        minutes = sorted((int(match[1]), name) for name in names if (match := MINUTE.fullmatch(name)))
        if not minutes:
            hint = "columns 1 to 1440, or minute_1 and so on, or a part of them"
            raise BadTrace(f"{path}:1: there is no column of a minute", hint)
        kinds: dict[str, Kind] = {"HashApp": "text", "HashFunction": "text"}
        kinds |= {"Trigger": "any"} if "Trigger" in names else {}
        kinds |= {name: "count" for _, name in minutes}
        bins = np.array([minute for minute, _ in minutes], dtype=np.int64) + offset
        self.first, self.last = min(self.first, int(bins[0])), max(self.last, int(bins[-1]) + 1)
        for block in blocks(path, kinds, self.bad):
            rows = self._rows_of(block)
            counts = block.select(name for _, name in minutes).to_numpy()
            mine = rows >= 0
            row, column = np.nonzero(counts * mine[:, None])
            self.counts.add(bins[column], rows[row], counts[row, column])
        self.counts.seal()

    def _rows_of(self, block: pl.DataFrame) -> npt.NDArray[np.int64]:
        numbers = []
        triggers = pl.col("Trigger") if "Trigger" in block.columns else pl.lit(UNTOLD)
        for app, function, trigger in block.select("HashApp", "HashFunction", triggers).iter_rows():
            key = (app, function)
            if key not in self.known:
                self.unknown[key] = None
                numbers.append(-1)
                continue
            if key not in self.rows:
                self.rows[key] = len(self.rows)
                self.triggers.append((trigger or UNTOLD).lower())
            numbers.append(self.rows[key])
        return np.array(numbers, dtype=np.int64)

    def functions(self) -> pl.DataFrame:
        schema = {"app": pl.String, "function": pl.String}
        rows = pl.DataFrame(list(self.rows), schema=schema, orient="row")
        return rows.with_columns(trigger=pl.Series(self.triggers, dtype=pl.String))


def _durations(paths: list[Path], bad: Bad) -> pl.DataFrame:
    """One row per function: its average and percentiles, over the days weighted by how often it was seen."""
    wanted = {f"percentile_Average_{level}": f"p{level}_ms" for level in PERCENTILES}
    kinds: dict[str, Kind] = {"HashApp": "text", "HashFunction": "text", "Average": "amount", "Count": "amount"}
    kinds |= dict.fromkeys(wanted, "amount")
    return _over_days(paths, kinds, {"Average": "duration_ms", **wanted}, "Count", KEY, bad)


def _with_memory(functions: pl.DataFrame, paths: list[Path], bad: Bad) -> pl.DataFrame:
    is_per_function = "HashFunction" in header(paths[0])
    kinds: dict[str, Kind] = {"HashApp": "text", "SampleCount": "amount", "AverageAllocatedMb": "amount"}
    if is_per_function:
        kinds["HashFunction"] = "text"
    on = KEY if is_per_function else ["app"]
    memory = _over_days(paths, kinds, {"AverageAllocatedMb": "memory_mb"}, "SampleCount", on, bad)
    joined = functions.join(memory, on=on, how="left", maintain_order="left")
    if not is_per_function:
        joined = joined.with_columns(pl.col("memory_mb") / pl.len().over("app"))
    return joined.with_columns(pl.col("memory_mb").ceil().clip(lower_bound=1))


def _over_days(
    paths: list[Path], kinds: Mapping[str, Kind], wanted: Mapping[str, str], weight: str, on: list[str], bad: Bad
) -> pl.DataFrame:
    frames = [block for path in paths for block in blocks(path, kinds, bad)]
    every = pl.concat([pl.DataFrame(schema={name: TYPES[kind] for name, kind in kinds.items()}), *frames])
    names = {"HashApp": "app", "HashFunction": "function", **wanted}
    weighed = pl.col(weight).clip(lower_bound=1e-9)
    every = every.rename({old: new for old, new in names.items() if old in kinds})
    means = [(pl.col(new) * weighed).sum() / weighed.sum() for new in wanted.values()]
    return every.group_by(on, maintain_order=True).agg(means)
