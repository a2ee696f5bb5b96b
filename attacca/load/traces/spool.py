"""Invocations in any order go in, and come out by arrival: kept by spans of time, on disk when they are many.

Memory holds `in_memory` rows while they go in, and one span while they come out.
"""

import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from attacca.load.traces.types import CHUNK, INVOCATION_SCHEMA

IN_MEMORY = 6_000_000  # rows of 20 bytes
SPAN_S = 600.0
GATHER = 500_000  # rows are put in order by this many


class Spool:
    def __init__(self, in_memory: int = IN_MEMORY, span_s: float = SPAN_S) -> None:
        self.in_memory, self.span_s = in_memory, span_s
        self.rows = 0
        self._first_s, self._last_s = float("inf"), float("-inf")
        self._loose: list[pl.DataFrame] = []
        self._loose_rows = 0
        self._spans: dict[int, list[pl.DataFrame]] = {}
        self._held = 0
        self._files: dict[int, list[Path]] = {}
        self._directory: Path | None = None

    def __repr__(self) -> str:
        return f"<Spool {self.rows} rows, {self._held} in memory>"

    def add(self, frame: pl.DataFrame) -> None:
        self._loose.append(frame.select(pl.col(name).cast(kind) for name, kind in INVOCATION_SCHEMA.items()))
        self._loose_rows += frame.height
        if frame.height:
            arrivals = frame["arrival_s"].to_numpy()
            self._first_s = min(self._first_s, float(arrivals.min()))
            self._last_s = max(self._last_s, float(arrivals.max()))
        self.rows += frame.height
        if self._loose_rows >= GATHER:
            self._put_away()

    def chunks(self, first_s: float = float("-inf"), last_s: float = float("inf")) -> Iterator[pl.DataFrame]:
        """Invocations with first_s <= arrival < last_s."""
        self._put_away()
        for span in sorted(self._spans.keys() | self._files.keys()):
            if (span + 1) * self.span_s <= first_s or span * self.span_s >= last_s:
                continue
            frames = [pl.read_ipc(path) for path in self._files.get(span, [])]
            frames += self._spans.get(span, [])
            within = (pl.col("arrival_s") >= first_s) & (pl.col("arrival_s") < last_s)
            rows = pl.concat(frames).filter(within).sort("arrival_s", maintain_order=True)
            yield from rows.iter_slices(CHUNK)

    def range(self) -> tuple[float, float]:
        """The first arrival and the last; nothing: 0 and 0."""
        return (self._first_s, self._last_s) if self.rows else (0.0, 0.0)

    def _put_away(self) -> None:
        if not self._loose:
            return
        rows = pl.concat(self._loose).with_columns(span=(pl.col("arrival_s") / self.span_s).floor().cast(pl.Int64))
        self._loose, self._loose_rows = [], 0
        for (span,), part in rows.partition_by("span", as_dict=True, maintain_order=True).items():
            self._spans.setdefault(int(span), []).append(part.drop("span"))
        self._held += rows.height
        if self._held > self.in_memory:
            self._spill()

    def _spill(self) -> None:
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="attacca-trace-"))
            weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        for span, frames in self._spans.items():
            files = self._files.setdefault(span, [])
            path = self._directory / f"{span}-{len(files)}.arrow"
            pl.concat(frames).write_ipc(path)
            files.append(path)
        self._spans, self._held = {}, 0
