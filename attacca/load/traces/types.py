"""One schema for every trace: a table of functions, and invocations in the order of their arrival.

functions    function (str, unique), app (str), trigger (str), memory_mb (i32), duration_ms (f64, mean),
             invocations (i64), and p1_ms ... p99_ms where the trace has percentiles (nullable)
invocations  arrival_s (f64, since the trace began, ascending), function (u32, the row of the table),
             duration_ms (f64)
"""

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

import polars as pl

from attacca.load.traces.draws import Spread

FUNCTION_SCHEMA = {
    "function": pl.String,
    "app": pl.String,
    "trigger": pl.String,
    "memory_mb": pl.Int32,
    "duration_ms": pl.Float64,
    "invocations": pl.Int64,
}
INVOCATION_SCHEMA = {"arrival_s": pl.Float64, "function": pl.UInt32, "duration_ms": pl.Float64}
TRIGGERS = ("http", "timer", "event", "queue", "storage", "orchestration", "others")
MINUTE_S = 60.0
CHUNK = 2**18  # rows that a chunk of invocations has at most, about: 5 MB

Keep = Literal["shape", "load", "both"]  # what a sample has of the whole: what functions are like, how often called


class Trace(Protocol):
    """What a scenario gets. `invocations` may be walked again and yields the same each time."""

    @property
    def functions(self) -> pl.DataFrame:
        """FUNCTION_SCHEMA plus the reader's own percentile columns; the row number is the invocation's `function`."""

    @property
    def length_s(self) -> float: ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers should know: rows left out, values that the trace lacks."""

    def invocations(self) -> Iterator[pl.DataFrame]:
        """Chunks of INVOCATION_SCHEMA, ascending over all of them; bounded memory."""


class Source(Trace, Protocol):
    """What a format's reader gives: a trace of which parts can be had without reading the rest."""

    def window(self, start_minute: int, minutes: int | None) -> "Source":
        """Minutes are counted from the trace's first. `invocations` of the functions is that of the part."""

    def only(self, rows: Sequence[int]) -> "Source":
        """The functions in these rows, in this order."""


class Use(Protocol):
    """Which part of which trace is wanted, and how it is changed: a scenario's `workload.trace`."""

    @property
    def path(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def start_minute(self) -> int: ...
    @property
    def minutes(self) -> int | None: ...
    @property
    def spread(self) -> Spread: ...
    @property
    def sample(self) -> int | None: ...
    @property
    def keep(self) -> Keep: ...
    @property
    def thin(self) -> float: ...
    @property
    def time_scale(self) -> float: ...
    @property
    def duration_scale(self) -> float: ...
    @property
    def duration_most_ms(self) -> float: ...
    @property
    def memory_least_mb(self) -> int: ...


def function_table(rows: pl.DataFrame) -> pl.DataFrame:
    """The schema's columns first, in their types; then what else there is."""
    more = [name for name in rows.columns if name not in FUNCTION_SCHEMA]
    return rows.select(*(pl.col(name).cast(kind) for name, kind in FUNCTION_SCHEMA.items()), *more)
