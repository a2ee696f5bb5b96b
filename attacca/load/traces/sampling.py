"""Fewer functions that stand for all: nested samples, each near the whole by Wasserstein distance.

All functions are halved again and again: neighbours (by rate, by duration, by memory) are paired, and one of each pair
stays, by a coin or so that the load is halved too; of TRIALS such halves the one nearest to the whole is kept, and made
nearer by swaps.
Functions that leave later rank higher, and a sample of n is the first n of that ranking: so every sample holds the
smaller ones, whatever sizes are asked for.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from attacca.kernel.rand import Streams
from attacca.load.traces.marks import Floats

TRIALS = 48
ORDERS = 16
SWAPS, SWAP_WORK = 150, 1_500_000  # tries for each half; fewer when there are many functions
Rows = npt.NDArray[np.int64]


class Distance(msgspec.Struct, frozen=True):
    """Wasserstein distances to the whole, of what functions are: in powers of ten, memory too; and of its mean rate."""

    rate: float
    duration: float
    memory: float
    load: float  # how far the invocations per function are off, relatively

    def total(self) -> float:
        return self.rate + self.duration + self.memory + self.load


class Sampler:
    """Ranks the functions once; `take` any size."""

    def __init__(self, functions: pl.DataFrame, seed: int) -> None:
        self.invocations = functions["invocations"].to_numpy().astype(np.float64)
        logs = [
            np.log10(1.0 + self.invocations),
            np.log10(np.maximum(functions["duration_ms"].fill_null(0.0).to_numpy(), 0.1)),
            np.log10(np.maximum(functions["memory_mb"].fill_null(0).to_numpy(), 1)),
        ]
        self.features: list[Floats] = [np.asarray(one, dtype=np.float64) for one in logs]
        self._sorted = [np.sort(one) for one in self.features]
        self._chance = np.random.Generator(np.random.PCG64(Streams(seed).stream("traces/sample").getrandbits(128)))
        self.ranking = self._ranked()

    def take(self, size: int) -> list[int]:
        """Rows in the order of the table."""
        return sorted(self.ranking[:size].tolist())

    def distance(self, rows: Sequence[int] | Rows) -> Distance:
        chosen = np.asarray(rows, dtype=np.int64)
        parts = [
            wasserstein(np.sort(feature[chosen]), whole)
            for feature, whole in zip(self.features, self._sorted, strict=True)
        ]
        mean = self.invocations.mean()
        load = abs(self.invocations[chosen].mean() - mean) / mean if mean > 0 else 0.0
        return Distance(rate=parts[0], duration=parts[1], memory=parts[2], load=float(load))

    def _ranked(self) -> Rows:
        left: list[Rows] = []
        stay: Rows = np.arange(len(self.invocations))
        while len(stay) > 1:
            halves = [self._half(stay, trial) for trial in range(TRIALS)]
            best = min(halves, key=lambda half: self.distance(half).total())
            best, gone = self._swapped(best, np.setdiff1d(stay, best))
            left.append(self._ordered(best, gone))
            stay = best
        return np.concatenate([stay, *reversed(left)]) if left else stay

    def _half(self, rows: Rows, trial: int) -> Rows:
        """One of each pair of neighbours; the odd one out stays."""
        feature = self.features[trial % len(self.features)][rows]
        order = rows[np.lexsort((self._chance.random(len(rows)), feature))]
        odd = order[len(order) - len(order) % 2 :]
        pairs = order[: len(order) - len(odd)].reshape(-1, 2)
        coins = self._chance.integers(0, 2, len(pairs)) if trial % 2 else self._balanced(pairs)
        return np.sort(np.concatenate([pairs[np.arange(len(pairs)), coins], odd]))

    def _swapped(self, best: Rows, gone: Rows) -> tuple[Rows, Rows]:
        """Two change places wherever that brings the half nearer to the whole."""
        best, gone = best.copy(), gone.copy()
        least = self.distance(best).total()
        tries = min(SWAPS, SWAP_WORK // len(self.invocations)) if len(gone) else 0
        for _ in range(tries):
            one, other = int(self._chance.integers(len(best))), int(self._chance.integers(len(gone)))
            best[one], gone[other] = gone[other], best[one]
            now = self.distance(best).total()
            if now < least:
                least = now
            else:
                best[one], gone[other] = gone[other], best[one]
        return np.sort(best), np.sort(gone)

    def _balanced(self, pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """From the most different pair to the least, whoever brings both halves nearer to one another in load."""
        loads = self.invocations[pairs]
        differences = loads[:, 1] - loads[:, 0]
        coins = self._chance.integers(0, 2, len(pairs))
        surplus = 0.0
        for pair in np.argsort(-np.abs(differences), kind="stable").tolist():
            difference = float(differences[pair])
            if surplus != 0.0 and difference != 0.0:
                coins[pair] = 1 if (difference < 0) == (surplus > 0) else 0
            surplus += difference if coins[pair] else -difference
        return coins

    def _ordered(self, stay: Rows, gone: Rows) -> Rows:
        """Of some orders of coming back, the one that stays nearest to the whole on the way."""
        cuts = [len(gone) * quarter // 4 for quarter in (1, 2, 3) if len(gone) >= 4]

        def farness(order: Rows) -> float:
            return sum(self.distance(np.concatenate([stay, order[:cut]])).total() for cut in cuts)

        return min((self._chance.permutation(gone) for _ in range(ORDERS if cuts else 1)), key=farness)


def wasserstein(one: Floats, other: Floats) -> float:
    """Between two samples, both ascending: the area between their distribution functions."""
    every = np.sort(np.concatenate([one, other]))
    widths = np.diff(every)
    first = np.searchsorted(one, every[:-1], side="right") / len(one)
    second = np.searchsorted(other, every[:-1], side="right") / len(other)
    return float(np.sum(np.abs(first - second) * widths))
