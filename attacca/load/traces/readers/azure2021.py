"""Azure Functions 2021: one row per invocation with its end and duration in seconds; nothing about memory."""

from pathlib import Path

import polars as pl

from attacca.load.traces.events import Events, Gathering
from attacca.load.traces.readers.csvfile import Kind, blocks, header
from attacca.load.traces.reading import Reading

COLUMNS: dict[str, Kind] = {"app": "text", "func": "text", "end_timestamp": "number", "duration": "amount"}
MEMORY_MB = 200  # the trace has none; InVitro's stand-in, about the mean of 2019


def is_azure2021(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".parquet", ".jsonl") and set(COLUMNS) <= set(header(path))


def read(path: Path, reading: Reading) -> Events:
    gathering = Gathering()
    for block in blocks(path, COLUMNS, reading.bad):
        gathering.add(
            block.select(
                "app", pl.col("func").alias("function"),
                arrival_s=pl.col("end_timestamp") - pl.col("duration"), duration_ms=pl.col("duration") * 1000,
            )
        )  # fmt: skip
    reading.bad.settle()
    notes = (f"the trace has no memory: {MEMORY_MB} MB for each function", "the trace has no triggers")
    return Events(gathering.functions("others", MEMORY_MB), gathering.spool, notes=notes)
