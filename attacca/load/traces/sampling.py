"""Fewer functions that stand for all: nested samples, each near the whole by Wasserstein distance.

A fifth of the functions leaves, again and again: of every GROUP neighbours (by rate, by duration, by memory) one goes,
by chance or so that the load per function stays what it is; of TRIALS such ways the one that leaves the rest nearest to
the whole is taken, and made nearer by swaps. Functions that leave later rank higher, and a sample of n is the first n
of that ranking: so every sample holds the smaller ones, whatever sizes are asked for.

A function that alone has much of a sample's load can only be balanced by others that are unlike the whole. So it has no
part in the balance, and leaves as soon as it would have half of the load and less than half of all functions are left:
from there on a sample is nearer to the load of the whole without it.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from attacca.kernel.rand import Streams
from attacca.load.traces.marks import Floats

GROUP = 5
TRIALS = 24
RANDOM = 200  # random samples that one is measured against
BALANCED, BEARABLE = 0.25, 0.5  # of a sample's invocations: with more, a function is not balanced, or has to leave
DOMINANT = 0.2  # of all invocations: a function that decides alone whether a small sample has the whole's load
ORDERS = 16
FEW = 25  # functions: in a smaller sample one has much of the load whoever they are
ONE_BY_ONE = 150
SWAPS, SWAP_WORK = 120, 600_000  # tries each time; fewer when there are many functions
Rows = npt.NDArray[np.int64]


class Distance(msgspec.Struct, frozen=True):
    """Wasserstein distances to the whole, of what functions are: in powers of ten, memory too; and of its mean rate."""

    rate: float
    duration: float
    memory: float
    load: float  # how far the invocations per function are off, relatively; of those that a sample of its size can hold

    def total(self) -> float:
        return self.rate + self.duration + self.memory + self.load


class Standing(msgspec.Struct, frozen=True):
    """What the distances do not say of a sample."""

    load: float  # invocations per function beside the whole's, relatively: -0.3 is 30 % less
    work: float  # likewise time in handlers per function
    nearer: float  # than this share of random samples of the same size, by the sum of the distances
    dominant: float  # the share of the sample's invocations that its busiest function has


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
        durations = functions["duration_ms"].fill_null(0.0).to_numpy().astype(np.float64)
        self.work = self.invocations * durations
        self._seed = seed
        self._rising = np.sort(self.invocations)
        self._sums = np.concatenate([[0.0], np.cumsum(self._rising)])
        self._holds: dict[int, tuple[float, float]] = {}
        self._sorted = [np.sort(one) for one in self.features]
        self._chance = _chance(seed, "traces/sample")
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
        most, mean = self._held(len(chosen))
        calls = self.invocations[chosen]
        calls = calls[calls <= most]
        load = abs(calls.mean() - mean) / mean if mean > 0 and len(calls) else 0.0
        return Distance(rate=parts[0], duration=parts[1], memory=parts[2], load=float(load))

    def _held(self, size: int) -> tuple[float, float]:
        """So many invocations may a function have, to be balanced in such a sample; and the mean of all like that."""
        found = self._holds.get(size)
        if found is None:
            count = len(self._rising)
            while count > 1 and size < len(self._rising):
                mean = self._sums[count] / count
                if self._rising[count - 1] <= BALANCED * max(size, FEW) * mean:
                    break
                count -= 1
            found = self._holds[size] = (float(self._rising[count - 1]), float(self._sums[count] / count))
        return found

    def standing(self, rows: Sequence[int] | Rows) -> Standing:
        chosen = np.asarray(rows, dtype=np.int64)
        chance = _chance(self._seed, f"traces/sample/{len(chosen)}")
        ours, count = self.distance(chosen).total(), len(self.invocations)
        others = [self.distance(chance.choice(count, len(chosen), replace=False)).total() for _ in range(RANDOM)]
        calls = self.invocations[chosen]
        return Standing(
            load=_beside(calls, self.invocations),
            work=_beside(self.work[chosen], self.work),
            nearer=sum(ours < other for other in others) / RANDOM,
            dominant=float(calls.max() / calls.sum()) if calls.sum() > 0 else 0.0,
        )

    def caution(self) -> str:
        """What must be known of all samples of this trace; empty: nothing."""
        share = float(self.invocations.max() / self.invocations.sum()) if self.invocations.sum() > 0 else 0.0
        if share < DOMINANT:
            return ""
        size = int(np.argmax(self.ranking == int(np.argmax(self.invocations)))) + 1
        return (
            f"one function has {share:.0%} of the invocations. Samples of {size} functions and more hold it and get "
            "more load per function than the whole, smaller ones do not and get less. They stand for how functions "
            "differ, not for the load; `attacca trace scale --rate` keeps all functions, with fewer invocations"
        )

    def _ranked(self) -> Rows:
        left: list[Rows] = []
        stay: Rows = np.arange(len(self.invocations))
        while len(stay) > 1:
            common, large = self._apart(stay)
            if 2 * len(common) < len(self.invocations) or len(common) == 1:
                left.append(large)
                large = large[:0]
            if len(common) > 1:
                ways = [self._fewer(common, trial) for trial in range(TRIALS)]
                best = min(ways, key=lambda way: self.distance(way).total())
                best, gone = self._swapped(best, np.setdiff1d(common, best))
                left.append(self._ordered(best, gone))
                common = best
            stay = np.concatenate([common, large])
        return np.concatenate([stay, *reversed(left)])

    def _apart(self, rows: Rows) -> tuple[Rows, Rows]:
        """Those that can be borne when a fifth has left, one at least; and the larger ones, the least first."""
        most, _ = self._held(len(rows) - max(len(rows) // GROUP, 1))
        order = rows[np.argsort(self.invocations[rows], kind="stable")]
        keep = max(int(np.searchsorted(self.invocations[order], BEARABLE / BALANCED * most, side="right")), 1)
        return np.sort(order[:keep]), order[keep:]

    def _fewer(self, rows: Rows, trial: int) -> Rows:
        """Without one of each group of neighbours; those left over stay."""
        feature = self.features[trial % len(self.features)][rows]
        order = rows[np.lexsort((self._chance.random(len(rows)), feature))]
        size = min(GROUP, len(order))
        over = int(self._chance.integers(0, len(order) % size + 1))  # whose end of the order they are
        groups = order[over : over + len(order) // size * size].reshape(-1, size)
        places = self._chance.integers(0, size, len(groups)) if trial % 2 else self._balanced(rows, groups)
        return np.sort(np.setdiff1d(rows, groups[np.arange(len(groups)), places]))

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

    def _balanced(self, rows: Rows, groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Group by group, the most different first, whoever's going brings the load per function nearer to the
        whole's."""
        loads = self.invocations[groups]
        middle = float(loads.mean())
        wanted = self._held(len(rows) - len(groups))[1] * (len(rows) - len(groups))
        surplus = float(self.invocations[rows].sum()) - wanted - middle * len(groups)
        places = self._chance.integers(0, groups.shape[1], len(groups))
        for group in np.argsort(-np.ptp(loads, axis=1), kind="stable").tolist():
            places[group] = int(np.argmin(np.abs(surplus - (loads[group] - middle))))
            surplus -= float(loads[group][places[group]]) - middle
        return places

    def _ordered(self, stay: Rows, gone: Rows) -> Rows:
        """An order of coming back that stays near to the whole on the way: the next is the best of some, or, where they
        are many, the whole order is."""
        if len(gone) > ONE_BY_ONE:
            cuts = [len(gone) * quarter // 4 for quarter in (1, 2, 3)]

            def farness(order: Rows) -> float:
                return sum(self.distance(np.concatenate([stay, order[:cut]])).total() for cut in cuts)

            return min((self._chance.permutation(gone) for _ in range(ORDERS)), key=farness)
        back, rest = list(stay), list(gone)
        while rest:
            some = self._chance.choice(len(rest), min(ORDERS, len(rest)), replace=False).tolist()
            best = min(some, key=lambda place: self.distance([*back, rest[place]]).total())
            back.append(rest.pop(best))
        return np.array(back[len(stay) :], dtype=np.int64)


def _chance(seed: int, name: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(Streams(seed).stream(name).getrandbits(128)))


def _beside(some: Floats, whole: Floats) -> float:
    return float(some.mean() / whole.mean() - 1.0) if whole.mean() > 0 else 0.0


def wasserstein(one: Floats, other: Floats) -> float:
    """Between two samples, both ascending: the area between their distribution functions."""
    every = np.sort(np.concatenate([one, other]))
    widths = np.diff(every)
    first = np.searchsorted(one, every[:-1], side="right") / len(one)
    second = np.searchsorted(other, every[:-1], side="right") / len(other)
    return float(np.sum(np.abs(first - second) * widths))
