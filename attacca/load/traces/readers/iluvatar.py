"""Ilúvatar's load generator: invocations as func_name,invoke_time_ms, and metadata that say what each function is.

A directory holds trace.csv and metadata.csv; given a file X.csv, the metadata are X-metadata.csv, metadata-X.csv or
metadata.csv beside it. An invocation takes its function's warm_dur_ms. cold_dur_ms is that of a whole cold invocation:
the start itself takes what it is longer.
"""

from pathlib import Path

import numpy as np
import polars as pl

from attacca.errors import BadTrace
from attacca.load.traces.events import Events, Gathering
from attacca.load.traces.readers.csvfile import TYPES, Kind, blocks, header, whole
from attacca.load.traces.reading import Reading
from attacca.load.traces.types import TRIGGERS

TRACE, METADATA = "trace.csv", "metadata.csv"
COLUMNS: dict[str, Kind] = {"func_name": "text", "invoke_time_ms": "amount"}
KNOWN: dict[str, Kind] = {"func_name": "text", "warm_dur_ms": "amount", "mem_mb": "amount"}
OPTIONAL: dict[str, Kind] = {"cold_dur_ms": "maybe", "app": "any", "trigger": "any"}
_SHORT = {"invoke_time_ms": "arrival_s", "": "duration_ms"}


def is_iluvatar(path: Path) -> bool:
    file = path / TRACE if path.is_dir() else path
    return file.suffix == ".csv" and file.is_file() and set(COLUMNS) <= set(header(file))


def read(path: Path, reading: Reading) -> Events:
    file = path / TRACE if path.is_dir() else path
    known = _known(_metadata(file), reading)
    functions = known.select(
        pl.col("func_name").alias("function"), pl.col("app").fill_null(pl.col("func_name")),
        pl.col("trigger").fill_null("others"), memory_mb=pl.col("mem_mb").ceil(), warm_ms="warm_dur_ms",
        cold_ms=(pl.col("cold_dur_ms") - pl.col("warm_dur_ms")).clip(lower_bound=0),
    )  # fmt: skip
    numbers = functions.select(pl.col("function").alias("func_name"), pl.int_range(pl.len()).alias("function"))
    gathering = Gathering()
    unknown = 0
    for block in blocks(file, COLUMNS, reading.bad):
        rows = block.join(numbers, on="func_name", how="inner", maintain_order="left")
        unknown += block.height - rows.height
        takes = functions["warm_ms"].to_numpy()[rows["function"].to_numpy()]
        gathering.rows(rows.select(pl.col("invoke_time_ms") / 1000, "function", pl.Series(takes)).rename(_SHORT))
    reading.bad.settle()
    notes = (f"{unknown} invocations of functions without metadata are left out",) * bool(unknown)
    table = gathering.counted(functions).with_columns(duration_ms=functions["warm_ms"])
    begins = (0.0, max(60.0, np.ceil((gathering.spool.range()[1] + 1e-9) / 60) * 60))
    return Events(table.drop("warm_ms"), gathering.spool, notes=notes, between=begins)


def _metadata(file: Path) -> Path:
    for name in (f"{file.stem}-metadata.csv", f"metadata-{file.stem}.csv", METADATA):
        if (file.parent / name).is_file():
            return file.parent / name
    raise BadTrace(f"{file}: its metadata are missing", f"put {file.stem}-metadata.csv or {METADATA} beside it")


def _known(metadata: Path, reading: Reading) -> pl.DataFrame:
    """One row per function, with the columns that not every file has."""
    kinds = {name: kind for name, kind in OPTIONAL.items() if name in header(metadata)}
    rows = whole(metadata, {**KNOWN, **kinds}, reading.bad).unique("func_name", keep="first", maintain_order=True)
    rows = rows.with_columns(
        pl.lit(None, TYPES[kind]).alias(name) for name, kind in OPTIONAL.items() if name not in kinds
    )
    return rows.with_columns(pl.when(pl.col("trigger").is_in(TRIGGERS)).then("trigger"))
