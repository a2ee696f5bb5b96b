"""Durations drawn from a function's percentiles, so that both its percentiles and its mean come out as published.

Between two percentiles a value is low + (high - low) * t^bend, with t uniform. bend = 1 is the usual straight line; it
makes most functions far too slow, because the last hundredth then reaches evenly from the 99th percentile up to the
greatest value ever seen. So each function has its own bend, the one with which the mean of all pieces is its published
average; every percentile is kept as it is, for any bend. Where no bend within BENDS gives it, the nearest is taken.
"""

import numpy as np
import numpy.typing as npt

from attacca.load.traces.marks import Floats

BENDS = (0.2, 30.0)


class Quantiles:
    """`levels` from 0 to 1, `values_ms` one row per function, ascending; `means_ms` where they are known."""

    def __init__(self, levels: Floats, values_ms: Floats, means_ms: Floats) -> None:
        self.levels = levels
        self.low = values_ms[:, :-1]
        self.span = np.diff(values_ms, axis=1)
        weights = np.diff(levels)
        least = self.low @ weights
        reach = self.span @ weights
        with np.errstate(divide="ignore", invalid="ignore"):
            bend = reach / (means_ms - least) - 1.0
        bend = np.where(means_ms <= least, BENDS[1], bend)
        self.bend: Floats = np.where(np.isfinite(bend), np.clip(bend, *BENDS), 1.0)

    def draw(self, functions: npt.NDArray[np.integer], luck: Floats) -> Floats:
        """For each invocation its duration: `functions` says whose it is, `luck` in [0, 1) at which level."""
        piece = np.searchsorted(self.levels, luck, side="right") - 1
        piece = np.clip(piece, 0, len(self.levels) - 2)
        widths = np.diff(self.levels)
        within = (luck - self.levels[piece]) / widths[piece]
        drawn: Floats = self.low[functions, piece] + self.span[functions, piece] * within ** self.bend[functions]
        return drawn

    def means(self) -> Floats:
        """What the draws of each function come to."""
        means: Floats = (self.low + self.span / (self.bend[:, None] + 1.0)) @ np.diff(self.levels)
        return means

    def only(self, rows: npt.NDArray[np.integer]) -> "Quantiles":
        kept = object.__new__(Quantiles)
        kept.levels, kept.low, kept.span, kept.bend = self.levels, self.low[rows], self.span[rows], self.bend[rows]
        return kept
