"""A trace that has each invocation by itself; readers feed it rows in any order."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from attacca.load.traces.spool import Spool
from attacca.load.traces.types import MINUTE_S, function_table

Number = TypeVar("Number", np.int64, np.float64)


class Gathering:
    """What a reader fills: functions get their rows as they come, by app and name."""

    def __init__(self, spool: Spool | None = None) -> None:
        self.spool = spool or Spool()
        self.known = pl.DataFrame(schema={"app": pl.String, "function": pl.String, "row": pl.UInt32})
        self.durations_ms: npt.NDArray[np.float64] = np.zeros(0)
        self.counts: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def __repr__(self) -> str:
        return f"<Gathering {self.known.height} functions, {self.spool!r}>"

    def add(self, frame: pl.DataFrame) -> None:
        """Columns app, function, arrival_s, duration_ms."""
        pairs = frame.select("app", "function").unique(maintain_order=True)
        new = pairs.join(self.known, on=["app", "function"], how="anti", maintain_order="left")
        if new.height:
            rows = pl.int_range(self.known.height, self.known.height + new.height, eager=True, dtype=pl.UInt32)
            self.known = pl.concat([self.known, new.with_columns(row=rows)])
        numbered = frame.join(self.known, on=["app", "function"], how="left", maintain_order="left")
        self.rows(numbered.select("arrival_s", pl.col("row").alias("function"), "duration_ms"))

    def rows(self, frame: pl.DataFrame) -> None:
        """Rows that know their function's number."""
        whose, durations = frame["function"].to_numpy(), frame["duration_ms"].to_numpy()
        most = int(whose.max()) + 1 if len(whose) else 0
        self.counts, self.durations_ms = _grown(self.counts, most), _grown(self.durations_ms, most)
        self.counts += np.bincount(whose, minlength=len(self.counts))
        self.durations_ms += np.bincount(whose, weights=durations, minlength=len(self.durations_ms))
        self.spool.add(frame)

    def functions(self, trigger: str, memory_mb: int) -> pl.DataFrame:
        """The table, for readers that know of nothing but names."""
        name = pl.col("function")
        clear = pl.when(name.is_duplicated()).then(name + "@" + pl.col("app")).otherwise(name)
        table = self.known.with_columns(clear.alias("function"), trigger=pl.lit(trigger), memory_mb=pl.lit(memory_mb))
        return self.counted(table.drop("row"))

    def counted(self, table: pl.DataFrame) -> pl.DataFrame:
        counts = _grown(self.counts, table.height)
        means = _grown(self.durations_ms, table.height) / np.maximum(counts, 1)
        return function_table(table.with_columns(duration_ms=pl.Series(means), invocations=pl.Series(counts)))


class Events:
    """A part of a spool: arrivals from `first_s` to `last_s`. It begins at the whole minute of the first arrival."""

    def __init__(
        self, functions: pl.DataFrame, spool: Spool, *, notes: tuple[str, ...] = (),
        between: tuple[float, float] | None = None,
    ) -> None:  # fmt: skip
        self.functions = functions
        self.notes = notes
        if between is None:
            first, last = spool.range()
            begin = math.floor(first / MINUTE_S) * MINUTE_S
            between = (begin, begin + MINUTE_S * (math.floor((last - begin) / MINUTE_S) + 1) * bool(spool.rows))
        self._spool = spool
        self._first_s, self._last_s = map(float, between)  # numpy has another kind, which JSON does not take
        self._rows: npt.NDArray[np.int64] | None = None  # where each row of the spool's functions is now, or -1
        self.length_s = self._last_s - self._first_s

    def __repr__(self) -> str:
        return f"<Events {self.functions.height} functions in {self.length_s:g} s>"

    def window(self, start_minute: int, minutes: int | None) -> "Events":
        part = self._copy()
        part._first_s = min(self._first_s + start_minute * MINUTE_S, self._last_s)
        if minutes is not None:
            part._last_s = min(part._first_s + minutes * MINUTE_S, self._last_s)
        part.length_s = part._last_s - part._first_s
        return part if part.length_s == self.length_s else part._recounted()

    def only(self, rows: Sequence[int]) -> "Events":
        before = np.arange(self.functions.height) if self._rows is None else self._rows
        placed = np.full(self.functions.height + 1, -1, dtype=np.int64)
        placed[list(rows)] = np.arange(len(rows))
        part = self._copy()
        part._rows = placed[before]
        part.functions = self.functions[list(rows)]
        return part

    def invocations(self) -> Iterator[pl.DataFrame]:
        for frame in self._spool.chunks(self._first_s, self._last_s):
            mine = frame.with_columns(pl.col("arrival_s") - self._first_s)
            if self._rows is not None:
                rows = self._rows[frame["function"].to_numpy()]
                mine = mine.with_columns(function=pl.Series(rows)).filter(pl.col("function") >= 0)
                mine = mine.with_columns(pl.col("function").cast(pl.UInt32))
            if mine.height:
                yield mine

    def _recounted(self) -> "Events":
        totals = invocations_of(self.invocations(), self.functions.height)
        self.functions = self.functions.with_columns(invocations=pl.Series(totals))
        return self

    def _copy(self) -> "Events":
        twin = object.__new__(Events)
        vars(twin).update(vars(self))
        return twin


def invocations_of(chunks: Iterable[pl.DataFrame], functions: int) -> npt.NDArray[np.int64]:
    """How many each function has."""
    totals = np.zeros(functions, dtype=np.int64)
    for chunk in chunks:
        totals += np.bincount(chunk["function"].to_numpy(), minlength=functions)
    return totals


def _grown(column: npt.NDArray[Number], size: int) -> npt.NDArray[Number]:
    if len(column) >= size:
        return column
    return np.concatenate([column, np.zeros(size - len(column), dtype=column.dtype)])
