"""What is drawn for an invocation: its place in a minute, its duration.

Luck belongs to an invocation and not to the order of drawing: it is a hash of seed, function, minute and number. So a
function's invocations stay what they are when other functions are left out, when the trace is cut, or thinned: samples
of one trace under one seed have common random numbers.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

from attacca.kernel.rand import Streams

Keys = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # of SplitMix64 (Steele, Lea, Flood: OOPSLA 2014), as are the numbers below


def mixed(state: Keys) -> Keys:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


class Marks:
    """One named stream. `cells` makes a state for each function and minute, `draws` its n-th number in [0, 1)."""

    def __init__(self, seed: int, name: str) -> None:
        self.key = np.uint64(Streams(seed).stream(f"traces/{name}").getrandbits(64))

    def __repr__(self) -> str:
        return f"<Marks {int(self.key):016x}>"

    def cells(self, functions: Keys, minutes: npt.NDArray[np.integer]) -> Keys:
        return mixed(mixed(functions ^ self.key) + minutes.astype(np.uint64) * GOLDEN)

    def draws(self, cells: Keys, numbers: npt.NDArray[np.integer]) -> Floats:
        bits = mixed(cells + (numbers.astype(np.uint64) + np.uint64(1)) * GOLDEN)
        return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def keys(names: Iterable[str]) -> Keys:
    """What stands for each function: its name's digest."""
    digests = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names]
    return np.array([int.from_bytes(digest) for digest in digests], dtype=np.uint64)


Spread = Literal["uniform", "exponential", "equidistant"]
PHASE = 2**40  # a number that no invocation has


def places(
    spread: Spread, marks: Marks, cells: Keys, counts: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]
) -> Floats:
    """Where inside its minute each invocation falls, in [0, 1), when the trace only counts them.

    `cells` has one state per function and minute, `counts` its invocations, `numbers` counts them from 0 within each.

    uniform      independent and uniform: given their number, what a Poisson process does
    exponential  gaps are exponential, scaled to fill the minute, and the minute turned by a random phase. Given the
                 number this is the law of `uniform` too; it is kept because others draw it this way
    equidistant  equal gaps, and a random phase for each function and minute
    """
    if spread == "uniform":
        return marks.draws(np.repeat(cells, counts), numbers)
    phase = np.repeat(marks.draws(cells, np.full(len(cells), PHASE)), counts)
    if spread == "equidistant":
        return (numbers + phase) / np.repeat(counts, counts)
    gaps = -np.log1p(-marks.draws(np.repeat(cells, counts), numbers))
    ends = np.cumsum(counts)
    sums = np.cumsum(gaps)
    before = np.concatenate([[0.0], sums[ends[:-1] - 1]])
    total = np.repeat(sums[ends - 1] - before, counts)
    turned: Floats = ((sums - np.repeat(before, counts)) / total + phase) % 1.0
    return turned


BENDS = (0.2, 30.0)


class Quantiles:
    """Durations drawn from a function's percentiles, so that both its percentiles and its mean come out as published.

    Between two percentiles a value is low + (high - low) * t^bend, with t uniform. bend = 1 is the usual straight line;
    it makes most functions far too slow, because the last hundredth then reaches evenly from the 99th percentile up to
    the greatest value ever seen. So each function has its own bend, the one with which the mean of all pieces is its
    published average; every percentile is kept as it is, for any bend. Where no bend within BENDS gives it, the nearest
    is taken.
    """

    def __init__(self, levels: Floats, values_ms: Floats, means_ms: Floats) -> None:
        """`levels` from 0 to 1, `values_ms` one row per function, ascending; `means_ms` where they are known."""
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

    def __repr__(self) -> str:
        return f"<Quantiles {len(self.levels)} levels of {len(self.low)} functions>"

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


MEMORY_MB = 128  # where a trace has none
MEDIAN_MS, BETWEEN, WITHIN = 30.0, 1.5, 0.75  # medians of Huawei's regions lie from 4 to 100 ms; spreads of logarithms
NORMAL = {0: -3.0902, 1: -2.3263, 25: -0.6745, 50: 0.0, 75: 0.6745, 99: 2.3263, 100: 3.0902}


def unknown_durations_ms(seed: int, functions: Keys) -> Floats:
    """What a trace does not say, made up; every use is noted: percentiles as in NORMAL for each function, log-normal,
    its median drawn from a log-normal too."""
    zeros = np.zeros(len(functions), dtype=np.int64)
    marks = Marks(seed, "unknown durations")
    states = marks.cells(functions, zeros)
    across = _normal(marks.draws(states, zeros), marks.draws(states, zeros + 1))
    medians = MEDIAN_MS * np.exp(BETWEEN * across)
    table: Floats = medians[:, None] * np.exp(WITHIN * np.array(list(NORMAL.values())))
    return table


def _normal(radii: npt.NDArray[np.float64], turns: npt.NDArray[np.float64]) -> Floats:
    drawn: Floats = np.sqrt(-2.0 * np.log1p(-radii)) * np.cos(2.0 * np.pi * turns)
    return drawn
