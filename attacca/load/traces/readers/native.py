"""attacca's own form: a directory with trace.json, functions.parquet and invocations/part-*.parquet, as in types."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import polars as pl

from attacca.errors import BadTrace
from attacca.load.traces.events import invocations_of
from attacca.load.traces.reading import MOST, Reading, readable
from attacca.load.traces.types import CHUNK, FUNCTION_SCHEMA, INVOCATION_SCHEMA, MINUTE_S, function_table

ABOUT, FUNCTIONS, INVOCATIONS = "trace.json", "functions.parquet", "invocations"
VERSION = 1


def is_own(path: Path) -> bool:
    return (path / ABOUT).is_file() and (path / FUNCTIONS).is_file()


class About(msgspec.Struct):
    version: int
    length_s: Annotated[float, msgspec.Meta(ge=0, le=MOST)]
    notes: tuple[str, ...] = ()


class Own:
    """Parts are in the order of their names, each ascending; they are checked as they are walked."""

    def __init__(self, path: Path) -> None:
        with readable(path / ABOUT):
            about = msgspec.json.decode((path / ABOUT).read_bytes(), type=About)
        if about.version != VERSION:
            raise BadTrace(f"{path / ABOUT}: version {about.version}", f"this attacca reads version {VERSION}")
        with readable(path / FUNCTIONS):
            self.functions = _functions(path / FUNCTIONS)
        self.notes = about.notes
        self.length_s = about.length_s
        self._parts = sorted((path / INVOCATIONS).glob("part-*.parquet"))
        self._first_s, self._last_s = 0.0, self.length_s
        self._known = self.functions.height
        self._rows: np.ndarray | None = None

    def __repr__(self) -> str:
        return f"<Own {self.functions.height} functions in {self.length_s:g} s>"

    def window(self, start_minute: int, minutes: int | None) -> "Own":
        part = self._copy()
        part._first_s = min(self._first_s + start_minute * MINUTE_S, self._last_s)
        if minutes is not None:
            part._last_s = min(part._first_s + minutes * MINUTE_S, self._last_s)
        part.length_s = part._last_s - part._first_s
        if part.length_s != self.length_s:
            totals = invocations_of(part.invocations(), self.functions.height)
            part.functions = self.functions.with_columns(invocations=pl.Series(totals))
        return part

    def only(self, rows: Sequence[int]) -> "Own":
        before = np.arange(self.functions.height) if self._rows is None else self._rows
        placed = np.full(self.functions.height + 1, -1, dtype=np.int64)
        placed[list(rows)] = np.arange(len(rows))
        part = self._copy()
        part._rows, part.functions = placed[before], self.functions[list(rows)]
        return part

    def invocations(self) -> Iterator[pl.DataFrame]:
        within = (pl.col("arrival_s") >= self._first_s) & (pl.col("arrival_s") < self._last_s)
        latest = float("-inf")
        for path in self._parts:
            with readable(path):
                frame = _part(path, self._known).filter(within)
            if frame.height and (not frame["arrival_s"].is_sorted() or frame["arrival_s"][0] < latest):
                raise BadTrace(f"{path}: arrivals do not ascend", "write the trace anew with attacca trace convert")
            latest = frame["arrival_s"][-1] if frame.height else latest
            if self._rows is not None:
                functions = pl.Series("function", self._rows[frame["function"].to_numpy()])
                frame = frame.with_columns(functions).filter(pl.col("function") >= 0)
            mine = frame.with_columns(pl.col("arrival_s") - self._first_s, pl.col("function").cast(pl.UInt32))
            yield from mine.iter_slices(CHUNK)

    def _copy(self) -> "Own":
        twin = object.__new__(Own)
        vars(twin).update(vars(self))
        return twin


def _functions(path: Path) -> pl.DataFrame:
    table = pl.read_parquet(path)
    missing = [name for name in FUNCTION_SCHEMA if name not in table.columns]
    if missing:
        raise BadTrace(f"{path}: there is no column {', '.join(missing)}", "attacca trace convert")
    table = function_table(table)
    numbers = table.select("memory_mb", "duration_ms", "invocations")
    if sum(table.select(*FUNCTION_SCHEMA).null_count().row(0)) or table["function"].is_duplicated().any():
        raise BadTrace(f"{path}: a field is empty, or a function is there twice", "attacca trace convert")
    if not _are_amounts(numbers):
        raise BadTrace(f"{path}: a number is below 0, or over {MOST:g}", "attacca trace convert")
    return table


def _part(path: Path, functions: int) -> pl.DataFrame:
    frame = pl.read_parquet(path, columns=list(INVOCATION_SCHEMA))
    frame = frame.select(pl.col(name).cast(kind) for name, kind in INVOCATION_SCHEMA.items())
    if sum(frame.null_count().row(0)) or not _are_amounts(frame):
        raise BadTrace(f"{path}: a number is missing, below 0, or over {MOST:g}", "attacca trace convert")
    if frame.height and frame["function"].to_numpy().max() >= functions:
        raise BadTrace(f"{path}: an invocation is of no function in {FUNCTIONS}", "attacca trace convert")
    return frame


def _are_amounts(numbers: pl.DataFrame) -> bool:
    return not numbers.height or all(numbers.select(((pl.all() >= 0) & (pl.all() <= MOST)).all()).row(0))


def read(path: Path, reading: Reading) -> Own:
    """`reading` has nothing to say here: each invocation has its arrival and its duration."""
    del reading
    return Own(path)
