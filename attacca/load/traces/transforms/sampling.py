"""Fewer functions that stand for all, near the whole in its shape, in its load, or in both.

One of each group of neighbours is taken (by rate, by duration, by memory); of TRIALS such ways the one that is nearest
to the whole, and it is made nearer by swaps.

For the shape, functions are ranked: few at first, to whom a quarter comes again and again. A sample of n is the first
n of that ranking, so every sample holds the smaller ones. Where the load counts that would cost too much, as few
functions have most of it: each size is chosen by itself, and of sizes that are asked for together the smaller within
the larger.

No sample is further from the whole than the best of RANDOM drawn by chance; where it would be, it need not hold the
smaller ones.
"""

from collections.abc import Sequence
from itertools import combinations
from math import comb

import msgspec
import numpy as np
import polars as pl

from attacca.kernel.rand import Streams
from attacca.load.traces.draws import Floats
from attacca.load.traces.transforms.nearness import Distance, Nearness, Rows
from attacca.load.traces.types import Keep

BEGIN, GROUP = 10, 4  # the first sample's functions; then a quarter comes again and again
TRIALS = 24
RANDOM = 100  # random samples that one is measured against
DOMINANT = 0.2  # of all invocations: a function that decides alone whether a small sample has the whole's load
ORDERS = 16
ONE_BY_ONE, ORDER_WORK = 150, 300_000  # so many are put in order one by one; fewer when there are many functions
SWAPS, SWAP_WORK = 400, 2_000_000  # tries each time; fewer when there are many functions
BEARABLE = 1.5  # so much further than the best that is found may one be that lies within a larger
ALL_WAYS = 5000  # samples of a size that are few enough to look at each


class Standing(msgspec.Struct, frozen=True):
    """What the distances do not say of a sample."""

    load: float  # invocations per function beside the whole's, relatively: -0.3 is 30 % less
    work: float  # likewise time in handlers per function
    best: float  # the least distance among random samples of the same size, of what is kept
    nearer: float  # than this share of them
    dominant: float  # the share of the sample's invocations that its busiest function has


class Sampler:
    """Ranks the functions once; `take` any size."""

    def __init__(self, functions: pl.DataFrame, seed: int, keep: Keep = "both") -> None:
        self.near, self.keep = Nearness(functions), keep
        self._count, self._seed = functions.height, seed
        self._chance = _chance(seed, "traces/sample")
        self._held: Rows = np.arange(0)  # the ranking, as far as it was needed
        self._of_ranking = self._chance
        self._random: dict[int, list[tuple[float, Rows]]] = {}

    def __repr__(self) -> str:
        return f"<Sampler {self._count} functions, {len(self._held)} ranked>"

    def take(self, size: int) -> list[int]:
        """Rows in the order of the table."""
        return self.chain([size])[size]

    def chain(self, sizes: Sequence[int]) -> dict[int, list[int]]:
        """Several, the smaller within the larger where that leaves them near enough."""
        samples: dict[int, list[int]] = {}
        within: Rows = np.arange(self._count)
        for size in sorted(set(sizes), reverse=True):
            within = self._sample(size, within)
            samples[size] = within.tolist()
        return samples

    def distance(self, rows: Sequence[int] | Rows) -> Distance:
        return self.near.distance(rows)

    def standing(self, rows: Sequence[int] | Rows) -> Standing:
        chosen = np.asarray(rows, dtype=np.int64)
        ours, others = self._judged(chosen), [judged for judged, _ in self._drawn(len(chosen))]
        calls = self.near.invocations[chosen]
        return Standing(
            load=self.near.off(chosen),
            work=_beside(self.near.work[chosen], self.near.work),
            best=others[0],
            nearer=sum(ours < other for other in others) / RANDOM,
            dominant=float(calls.max() / calls.sum()) if calls.sum() > 0 else 0.0,
        )

    def caution(self) -> str:
        """What must be known of all samples of this trace; empty: nothing."""
        calls = self.near.invocations
        share = float(calls.max() / calls.sum()) if calls.sum() > 0 else 0.0
        if share < DOMINANT:
            return ""
        return (
            f"one function has {share:.0%} of the invocations. A sample that holds it has too much load, or one that "
            "does not has it spread otherwise over its functions; `attacca trace scale --rate` keeps all functions, "
            "with fewer invocations"
        )

    # By chance.

    def _judged(self, rows: Rows) -> float:
        return self.near.distance(rows).total(self.keep)

    def _drawn(self, size: int) -> list[tuple[float, Rows]]:
        """Random samples, the nearest first."""
        if size not in self._random:
            chance = _chance(self._seed, f"traces/sample/{size}")
            drawn = [np.sort(chance.choice(self._count, size, replace=False)) for _ in range(RANDOM)]
            self._random[size] = sorted(((self._judged(rows), rows) for rows in drawn), key=lambda pair: pair[0])
        return self._random[size]

    def _sample(self, size: int, within: Rows) -> Rows:
        if comb(self._count, size) <= ALL_WAYS:
            return self._best(size)
        limit = self._drawn(size)[0][0]
        self._chance = _chance(self._seed, f"traces/sample/{self.keep}/{size}")
        is_ranked = self.keep == "shape"
        ours = self._ranked(size) if is_ranked else self._grown(within[:0], size, within)
        judged = self._judged(ours)
        if judged <= limit and (is_ranked or len(within) == self._count):
            return ours
        best = self._best(size)
        return ours if judged <= min(limit, BEARABLE * self._judged(best)) else best

    def _best(self, size: int) -> Rows:
        """The nearest of all where they can be looked at, else the nearer of two: chosen, and drawn and made nearer."""
        every: Rows = np.arange(self._count)
        if comb(self._count, size) <= ALL_WAYS:
            return min((np.array(rows) for rows in combinations(range(self._count), size)), key=self._judged)
        drawn = self._drawn(size)[0][1]
        nearer = self._swapped(every[:0], drawn, np.setdiff1d(every, drawn))
        return min((drawn, nearer, self._grown(every[:0], size, every)), key=self._judged)

    # The ranking.

    def _ranked(self, size: int) -> Rows:
        """The first of the ranking, which grows as far as it must: the same whatever was asked before."""
        every: Rows = np.arange(self._count)
        others, self._chance = self._chance, self._of_ranking
        while len(self._held) < size:
            held = self._held
            more = min(max(len(held) // GROUP, 1) if len(held) else BEGIN, self._count - len(held))
            self._held = np.concatenate([held, self._ordered(held, self._grown(held, more, every))])
        self._chance = others
        return np.sort(self._held[:size])

    def _grown(self, held: Rows, more: int, within: Rows) -> Rows:
        """So many others, with whom those that are held are nearest to the whole."""
        rest = np.setdiff1d(within, held)
        if more == len(rest):
            return rest
        ways = [self._spread(rest, more, trial) for trial in range(TRIALS)]
        best = min(ways, key=lambda way: self.near.cost(np.concatenate([held, way]), self.keep))
        return self._swapped(held, best, np.setdiff1d(rest, best))

    def _spread(self, rest: Rows, more: int, trial: int) -> Rows:
        """One of each group of neighbours."""
        feature = self.near.features[trial % len(self.near.features)][rest]
        order = rest[np.lexsort((self._chance.random(len(rest)), feature))]
        ends = np.arange(more + 1) * len(rest) // more
        places = ends[:-1] + (self._chance.random(more) * np.diff(ends)).astype(np.int64)
        return np.sort(order[places])

    def _swapped(self, held: Rows, best: Rows, gone: Rows) -> Rows:
        """Two change places wherever that brings all that are held nearer to the whole: any two, or, where the load
        counts, one and whoever makes up for what it is off, the busiest first."""
        calls = self.near.invocations
        whole, gone = np.concatenate([held, best]), gone[np.argsort(calls[gone], kind="stable")]
        least = self.near.cost(whole, self.keep)
        busiest = len(held) + np.argsort(-calls[best], kind="stable")
        tries = min(SWAPS, SWAP_WORK // self._count) if len(gone) else 0
        for number in range(tries):
            is_aimed = self.keep != "shape" and number % 2 == 0
            is_busy = is_aimed and number // 2 < len(busiest)
            goes = int(busiest[number // 2]) if is_busy else len(held) + self._any(best)
            comes = self._makes_up(whole, gone, goes) if is_aimed else self._any(gone)
            whole[goes], gone[comes] = gone[comes], whole[goes]
            now = self.near.cost(whole, self.keep)
            if now < least:
                least, gone = now, gone[np.argsort(calls[gone], kind="stable")]
            else:
                whole[goes], gone[comes] = gone[comes], whole[goes]
        return np.sort(whole[len(held) :])

    def _any(self, rows: Rows) -> int:
        return int(self._chance.integers(len(rows)))

    def _makes_up(self, whole: Rows, gone: Rows, goes: int) -> int:
        """Whose coming for `one`'s going would leave the load as it is in the whole, or nearest to it."""
        calls = self.near.invocations
        wanted = calls[whole[goes]] - self.near.off(whole) * self.near.mean * len(whole)
        place = min(int(np.searchsorted(calls[gone], wanted)), len(gone) - 1)
        return place - 1 if place and wanted - calls[gone[place - 1]] < calls[gone[place]] - wanted else place

    def _ordered(self, held: Rows, more: Rows) -> Rows:
        """An order of coming that stays near to the whole on the way: the next is the best of some, or, where they are
        many, the whole order is."""
        if len(more) > min(ONE_BY_ONE, ORDER_WORK // self._count):
            cuts = [len(more) * quarter // 4 for quarter in (1, 2, 3)]

            def farness(order: Rows) -> float:
                return sum(self.near.cost(np.concatenate([held, order[:cut]]), self.keep) for cut in cuts)

            return min((self._chance.permutation(more) for _ in range(ORDERS)), key=farness)
        come, rest = list(held), list(more)
        while rest:
            some = self._chance.choice(len(rest), min(ORDERS, len(rest)), replace=False).tolist()
            best = min(some, key=lambda place: self.near.cost(np.array([*come, rest[place]]), self.keep))
            come.append(rest.pop(best))
        return np.array(come[len(held) :], dtype=np.int64)


def _chance(seed: int, name: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(Streams(seed).stream(name).getrandbits(128)))


def _beside(some: Floats, whole: Floats) -> float:
    return float(some.mean() / whole.mean() - 1.0) if whole.mean() > 0 else 0.0
