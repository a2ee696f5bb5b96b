"""Small traces that the tests make themselves."""

import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from attacca.load.traces.events import Events, Gathering
from attacca.load.traces.reading import Reading
from attacca.load.traces.types import Trace
from attacca.load.traces.writing import write

OWNER = "o1"
PERCENTILES = (0, 1, 25, 50, 75, 99, 100)
AZURE_500 = Path(os.environ.get("TRACE") or Path(__file__).parents[4] / "shared/data/azure-2019-500")


def events(rows: Sequence[tuple[str, str, float, float]], length_s: float = 120.0) -> Events:
    """(app, function, arrival_s, duration_ms)."""
    gathering = Gathering()
    schema = {"app": pl.String, "function": pl.String, "arrival_s": pl.Float64, "duration_ms": pl.Float64}
    gathering.add(pl.DataFrame(list(rows), schema=schema, orient="row"))
    return Events(gathering.functions("http", 100), gathering.spool, between=(0.0, length_s))


def rows(trace: Trace) -> list[tuple[float, int, float]]:
    return [row for chunk in trace.invocations() for row in chunk.rows()]


def total(trace: Trace) -> int:
    return sum(chunk.height for chunk in trace.invocations())


def azure(
    folder: Path, counts: dict[tuple[str, str], list[int]], *, first: int = 1,
    ms: Sequence[float] = (1, 2, 5, 10, 20, 90, 100),
    average: float = 14.0,
) -> Path:  # fmt: skip
    """InVitro's three files: minutes of each (app, function)."""
    minutes = len(next(iter(counts.values())))
    names = ",".join(str(first + minute) for minute in range(minutes))
    lines = [f"HashOwner,HashApp,HashFunction,Trigger,{names}"]
    lines += [f"{OWNER},{app},{name},timer,{','.join(map(str, many))}" for (app, name), many in counts.items()]
    write_lines(folder / "invocations.csv", lines)
    levels = ",".join(f"percentile_Average_{level}" for level in PERCENTILES)
    values = ",".join(f"{value:g}" for value in ms)
    lines = [f"HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,{levels}"]
    lines += [f"{OWNER},{app},{name},{average:g},9,{ms[0]:g},{ms[-1]:g},{values}" for app, name in counts]
    write_lines(folder / "durations.csv", lines)
    lines = ["HashFunction,HashOwner,HashApp,SampleCount,AverageAllocatedMb"]
    lines += [f"{name},{OWNER},{app},5,64.5" for app, name in counts]
    write_lines(folder / "memory.csv", lines)
    return folder


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def written(trace: Trace, path: Path, name: str) -> Path:
    write(trace, path, name)
    return path


__all__ = ["AZURE_500", "Reading", "azure", "events", "rows", "total", "write_lines", "written"]
