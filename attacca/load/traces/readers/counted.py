"""A trace that counts invocations per minute: each is given a place in its minute and a duration as it is asked for."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from attacca.load.traces.draws import Keys, Marks, Quantiles, Spread, keys, places
from attacca.load.traces.readers.counts import Cells, Counts
from attacca.load.traces.reading import Reading
from attacca.load.traces.types import CHUNK, INVOCATION_SCHEMA, MINUTE_S

ABSENT = -1


class Counted:
    """A part of `counts`: bins `first` to `last`, and those functions whose row in `counts` has a place in `rows`."""

    def __init__(
        self, functions: pl.DataFrame, counts: Counts, quantiles: Quantiles, reading: Reading, *, bin_s: float,
        bins: tuple[int, int], notes: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.functions = functions
        self.notes = notes
        self.length_s = (bins[1] - bins[0]) * bin_s
        self._counts, self._quantiles = counts, quantiles
        self._bin_s, self._first, self._last = bin_s, bins[0], bins[1]
        self._rows: npt.NDArray[np.int64] = np.arange(functions.height)
        self._reading = reading
        self._keys: Keys = keys((functions["app"] + "/" + functions["function"]).to_list())
        self._arrivals, self._durations = Marks(reading.seed, "arrival"), Marks(reading.seed, "duration")
        self._recount()

    def __repr__(self) -> str:
        return f"<Counted {self.functions.height} functions in {self.length_s:g} s>"

    @property
    def spread(self) -> Spread:
        return self._reading.spread

    def window(self, start_minute: int, minutes: int | None) -> "Counted":
        per_minute = round(MINUTE_S / self._bin_s)
        part = self._copy()
        part._first = min(self._first + start_minute * per_minute, self._last)
        if minutes is not None:
            part._last = min(part._first + minutes * per_minute, self._last)
        part.length_s = (part._last - part._first) * self._bin_s
        part._recount()
        return part

    def only(self, rows: Sequence[int]) -> "Counted":
        wanted = np.array(rows, dtype=np.int64)
        part = self._copy()
        part.functions = self.functions[list(rows)]
        part._quantiles, part._keys = self._quantiles.only(wanted), self._keys[wanted]
        placed = np.full(self.functions.height + 1, ABSENT, dtype=np.int64)  # the last is for what is absent already
        placed[wanted] = np.arange(len(wanted))
        part._rows = placed[self._rows]
        return part

    def invocations(self) -> Iterator[pl.DataFrame]:
        for cells in self._counts.chunks(self._first, self._last, CHUNK):
            frame = self._drawn(cells)
            if frame.height:
                yield frame

    def _drawn(self, cells: Cells) -> pl.DataFrame:
        bins, rows, counts = (column.astype(np.int64) for column in cells)
        functions = self._rows[rows]
        here = functions != ABSENT
        bins, functions, counts = bins[here], functions[here], counts[here]
        total = int(counts.sum())
        if total == 0:
            return pl.DataFrame(schema=INVOCATION_SCHEMA)
        numbers = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
        states = self._arrivals.cells(self._keys[functions], bins)
        within = places(self.spread, self._arrivals, states, counts, numbers)
        arrival = (np.repeat(bins - self._first, counts) + within) * self._bin_s
        luck = self._durations.draws(np.repeat(self._durations.cells(self._keys[functions], bins), counts), numbers)
        whose = np.repeat(functions, counts)
        order = np.argsort(arrival, kind="stable")
        columns = {
            "arrival_s": arrival[order],
            "function": whose[order].astype(np.uint32),
            "duration_ms": self._quantiles.draw(whose, luck)[order],
        }
        return pl.DataFrame(columns)

    def _recount(self) -> None:
        totals = self._counts.totals(self._first, self._last, len(self._rows))
        kept = self._rows != ABSENT
        mine = np.zeros(self.functions.height, dtype=np.int64)
        mine[self._rows[kept]] = totals[kept]
        self.functions = self.functions.with_columns(invocations=pl.Series(mine))

    def _copy(self) -> "Counted":
        twin = object.__new__(Counted)
        vars(twin).update(vars(self))
        return twin
