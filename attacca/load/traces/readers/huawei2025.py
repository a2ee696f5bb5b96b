"""Huawei 2025: a row per request, a row per cold start, and what triggers each function.

A function is what the release calls funcID: name, user and pool. Timestamps are those of log lines, written when the
request ended: the arrival is time_frontend - totalCost_frontend. The duration is what the runtime took. A pod's pool
names its memory.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from attacca.errors import BadTrace
from attacca.load.traces.draws import MEMORY_MB
from attacca.load.traces.events import Events, Gathering
from attacca.load.traces.readers.csvfile import Kind, blocks, header, whole
from attacca.load.traces.reading import Reading

REQUESTS: dict[str, Kind] = {
    "time_frontend": "amount", "totalCost_frontend": "maybe", "totalCost_worker": "maybe", "runtimeCost": "maybe",
    "funcName": "text", "userID": "text", "podID": "text",
}  # fmt: skip
COLD: dict[str, Kind] = {
    "day": "amount", "time": "amount", "totalCost_cold_start": "amount", "podAllocationCost": "maybe",
    "deployCodeCost": "maybe", "deployDependencyCost": "maybe", "schedulingCost": "maybe", "funcName": "text",
    "userID": "text", "podID": "text",
}  # fmt: skip
SPLIT = {
    "totalCost_cold_start": "cold_ms", "podAllocationCost": "sandbox_ms", "deployCodeCost": "code_ms",
    "deployDependencyCost": "imports_ms", "schedulingCost": "queued_ms",
}  # fmt: skip
KINDS_OF_TRIGGER = {  # the first that is found in the release's word for it
    "apig": "http", "timer": "timer", "workflow": "orchestration", "obs": "storage", "kafka": "queue", "smn": "queue",
    "dms": "queue", "rocketmq": "queue", "rabbitmq": "queue", "dis": "event", "lts": "event", "cts": "event",
    "eventgrid": "event",
}  # fmt: skip
TRIGGER = "triggerType-invocationType"
DAY_S = 86_400


def is_huawei2025(path: Path) -> bool:
    return any(_files(path, kinds) for kinds in (REQUESTS, COLD))


def _files(path: Path, kinds: dict[str, Kind]) -> list[Path]:
    files = sorted(path.rglob("*.csv*")) if path.is_dir() else [path]
    return [file for file in files if ".csv" in file.suffixes and set(kinds) <= set(header(file))]


def read(path: Path, reading: Reading) -> Events:
    """Requests; where there are only cold starts, each of them as an invocation that takes as long as it took.

    Raises:
        BadTrace: there is neither, or rows cannot be read.
    """
    requests, cold = _files(path, REQUESTS), _files(path, COLD)
    if not requests and not cold:
        raise BadTrace(f"{path}: there are neither requests nor cold starts", "give a directory with their CSV files")
    gathering = Gathering()
    for frame in _requests(requests, reading) if requests else _as_requests(cold, reading):
        gathering.add(frame)
    table = gathering.functions("others", MEMORY_MB)
    table = table.with_columns(_memory(pl.col("function")), _triggers(path, table["function"], reading))
    if cold and requests:
        each = (
            pl.concat(cold_starts(path, reading))
            .group_by("function")
            .agg(pl.col("cold_ms").mean(), cold_starts=pl.len())
        )
        table = table.join(each, on="function", how="left", maintain_order="left")
    reading.bad.settle()
    notes = () if requests else ("only cold starts are here: each is an invocation as long as it took",)
    return Events(table, gathering.spool, notes=notes)


def cold_starts(path: Path, reading: Reading) -> Iterator[pl.DataFrame]:
    """Every cold start: when (s), whose, and its parts (ms)."""
    for file in _files(path, COLD):
        for block in blocks(file, COLD, reading.bad):
            yield block.select(
                _FUNCTION, pl.col("userID").alias("app"), at_s=_since_begin(pl.col("day"), pl.col("time")),
                **{new: pl.col(old) * 1000 for old, new in SPLIT.items()},
            )  # fmt: skip


def _requests(files: list[Path], reading: Reading) -> Iterator[pl.DataFrame]:
    runtime = pl.col("runtimeCost").fill_nan(None)
    takes = pl.coalesce(runtime, pl.col("totalCost_worker").fill_nan(None), pl.lit(0.0))
    for file in files:
        for block in blocks(file, REQUESTS, reading.bad):
            yield block.select(
                _FUNCTION, pl.col("userID").alias("app"), duration_ms=takes * 1000,
                arrival_s=pl.col("time_frontend") - pl.col("totalCost_frontend").fill_nan(None).fill_null(0.0),
            )  # fmt: skip


def _as_requests(files: list[Path], reading: Reading) -> Iterator[pl.DataFrame]:
    for file in files:
        for frame in cold_starts(file, reading):
            yield frame.select("function", "app", arrival_s="at_s", duration_ms="cold_ms")


def _since_begin(day: pl.Expr, time: pl.Expr) -> pl.Expr:
    """`time` counts from midnight; in some files from the data's beginning already."""
    return pl.when(time < DAY_S).then(day * DAY_S + time).otherwise(time)


_POOL = pl.col("podID").str.replace(r"-\d{6,}$", "")
_FUNCTION = pl.concat_str("funcName", "userID", _POOL, separator="---").alias("function")


def _memory(function: pl.Expr) -> pl.Expr:
    """pool22-300-128: 300 thousandths of a core, 128 MB."""
    return (
        function.str.extract(r"---pool\d+-\d+-(\d+)")
        .cast(pl.Int32, strict=False)
        .fill_null(MEMORY_MB)
        .alias("memory_mb")
    )


def _triggers(path: Path, functions: pl.Series, reading: Reading) -> pl.Series:
    folder = path if path.is_dir() else path.parent
    file = next((table for table in sorted(folder.rglob("*.csv*")) if {"funcID", TRIGGER} <= set(header(table))), None)
    known: dict[str, str] = {}
    if file is not None:
        known = dict(whole(file, {"funcID": "text", TRIGGER: "any"}, reading.bad).iter_rows())
    return pl.Series("trigger", [_kind(known.get(function)) for function in functions], dtype=pl.String)


def _kind(word: str | None) -> str:
    lower = (word or "").lower()
    return next((kind for part, kind in KINDS_OF_TRIGGER.items() if part in lower), "others")
