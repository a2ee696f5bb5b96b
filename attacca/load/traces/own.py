"""attacca's own form: a directory with trace.json, functions.parquet and invocations/part-*.parquet, as in types."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from attacca.errors import BadTrace
from attacca.load.traces.events import invocations_of
from attacca.load.traces.types import CHUNK, FUNCTION_SCHEMA, INVOCATION_SCHEMA, MINUTE_S, Reading

ABOUT, FUNCTIONS, INVOCATIONS = "trace.json", "functions.parquet", "invocations"
VERSION = 1


def is_own(path: Path) -> bool:
    return (path / ABOUT).is_file() and (path / FUNCTIONS).is_file()


class Own:
    """Parts are in the order of their names, each ascending; they are checked as they are walked."""

    def __init__(self, path: Path) -> None:
        about = json.loads((path / ABOUT).read_text())
        if about.get("version") != VERSION:
            raise BadTrace(f"{path / ABOUT}: version {about.get('version')!r}", f"this attacca reads version {VERSION}")
        self.functions = pl.read_parquet(path / FUNCTIONS)
        missing = [name for name in FUNCTION_SCHEMA if name not in self.functions.columns]
        if missing:
            raise BadTrace(f"{path / FUNCTIONS}: there is no column {', '.join(missing)}", "attacca trace convert")
        self.notes: tuple[str, ...] = tuple(about.get("notes", ()))
        self.length_s = float(about["length_s"])
        self._parts = sorted((path / INVOCATIONS).glob("part-*.parquet"))
        self._first_s, self._last_s = 0.0, self.length_s
        self._rows: np.ndarray | None = None

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
            frame = pl.read_parquet(path, columns=list(INVOCATION_SCHEMA)).filter(within)
            if frame.height and (not frame["arrival_s"].is_sorted() or frame["arrival_s"][0] < latest):
                raise BadTrace(f"{path}: arrivals do not ascend", "write the trace anew with attacca trace convert")
            latest = frame["arrival_s"][-1] if frame.height else latest
            if self._rows is not None:
                found = pl.Series("function", self._rows[frame["function"].to_numpy()])
                frame = frame.with_columns(found).filter(pl.col("function") >= 0)
            mine = frame.with_columns(pl.col("arrival_s") - self._first_s, pl.col("function").cast(pl.UInt32))
            yield from mine.iter_slices(CHUNK)

    def _copy(self) -> "Own":
        twin = object.__new__(Own)
        vars(twin).update(vars(self))
        return twin


def read(path: Path, reading: Reading) -> Own:
    """`reading` has nothing to say here: each invocation has its arrival and its duration."""
    del reading
    return Own(path)
