"""Quantiles of more values than memory holds, to within two per cent: counts in cells that widen with the value."""

import numpy as np
import numpy.typing as npt

from attacca.load.traces.draws import Floats

GROWTH = 1.04  # a cell's upper edge over its lower; its middle is within 2 % of all that is in it
LEAST, MOST = 1e-3, 1e8  # of values; what lies outside goes to the cells at the ends
CELLS = int(np.ceil(np.log(MOST / LEAST) / np.log(GROWTH))) + 1


class Sketch:
    """One row of counts for each function; least and greatest value and the sum are exact."""

    def __init__(self, rows: int) -> None:
        self.cells: npt.NDArray[np.uint32] = np.zeros((rows, CELLS), dtype=np.uint32)
        self.least, self.most = np.full(rows, np.inf), np.full(rows, -np.inf)
        self.sums: Floats = np.zeros(rows)
        self.counts: npt.NDArray[np.int64] = np.zeros(rows, dtype=np.int64)

    def __repr__(self) -> str:
        return f"<Sketch {int(self.counts.sum())} values of {len(self.counts)} functions>"

    def add(self, rows: npt.NDArray[np.integer], values: Floats) -> None:
        cell = np.log(np.clip(values, LEAST, MOST) / LEAST) / np.log(GROWTH)
        np.add.at(self.cells, (rows, cell.astype(np.int64)), np.uint32(1))
        np.minimum.at(self.least, rows, values)
        np.maximum.at(self.most, rows, values)
        self.sums += np.bincount(rows, weights=values, minlength=len(self.sums))
        self.counts += np.bincount(rows, minlength=len(self.counts))

    def quantile(self, level: float) -> Floats:
        """Of each row; not a number where it is empty."""
        sums = np.cumsum(self.cells, axis=1, dtype=np.int64)
        wanted = np.maximum(np.ceil(level * self.counts), 1)
        cell = np.argmax(sums >= wanted[:, None], axis=1)
        values = LEAST * GROWTH ** (cell + 0.5)
        values = np.clip(values, self.least, self.most)
        return np.where(self.counts > 0, values, np.nan)

    def means(self) -> Floats:
        with np.errstate(invalid="ignore"):
            means: Floats = self.sums / np.where(self.counts > 0, self.counts, np.nan)
        return means
