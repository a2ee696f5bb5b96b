"""One schema for every trace: a table of functions, and invocations in the order of their arrival.

functions    function (str, unique), app (str), trigger (str), memory_mb (i32), duration_ms (f64, mean),
             p1_ms ... p99_ms where the trace has percentiles (nullable), invocations (i64)
invocations  arrival_s (f64, since the trace began, ascending), function (categorical/enum of the table's names),
             duration_ms (f64)
"""

from collections.abc import Iterator
from typing import Protocol

import polars as pl

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


class Trace(Protocol):
    """What a reader gives. `invocations` may be walked again and yields the same each time."""

    @property
    def functions(self) -> pl.DataFrame:
        """FUNCTION_SCHEMA plus the reader's own percentile columns; the row number is the invocation's `function`."""

    @property
    def length_s(self) -> float: ...

    def invocations(self) -> Iterator[pl.DataFrame]:
        """Chunks of INVOCATION_SCHEMA, ascending over all of them; bounded memory."""
