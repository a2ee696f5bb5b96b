"""Learn each function's pauses: let go at once, be back shortly before the next arrival, stay until it is late."""

from math import ceil
from typing import Annotated

import msgspec

from attacca.policy.keepalive.lru import LruState
from attacca.policy.keepalive.types import Expiry, Idle

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class HybridHistogram(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hybrid histogram policy of "Serverless in the Wild" (Shahrad et al., ATC'20), without its ARIMA part.

    A pause lasts from the function's last coming to rest until its next arrival. Pauses fall into bins of one minute;
    longer ones than all bins together are out of bounds. A sandbox is unloaded when it comes to rest, made again at
    the head percentile (its bin's lower edge) less a margin, and kept until the tail percentile (upper edge) plus a
    margin; a head in the first bin means that it is not unloaded in between.

    The histogram is trusted if the counts of its bins vary enough (their coefficient of variation) and less than
    `out_of_bounds` of the pauses were too long for it. Otherwise sandboxes are simply kept for the whole range; the
    paper turns to ARIMA when too many pauses are out of bounds, we do not. When memory is short, which the paper does
    not treat, the longest unused goes.
    """

    bin_s: Positive = 60.0
    bins: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 240
    head: Share = 0.05
    tail: Share = 0.99
    margin: Share = 0.10
    variation: Annotated[float, msgspec.Meta(ge=0)] = 2.0
    out_of_bounds: Share = 0.5

    def fresh(self) -> "HistogramState":
        return HistogramState(self)


class Window(msgspec.Struct, frozen=True):
    """When a sandbox should exist, in seconds after the function's last execution."""

    from_s: float
    until_s: float
    why: str


class Percentile:
    """The bin of one percentile, moved along as counts grow instead of searched for anew."""

    __slots__ = ("_below", "_share", "bin")

    def __init__(self, share: float) -> None:
        self._share = share
        self._below = 0  # counts in the bins before
        self.bin = 0

    def __repr__(self) -> str:
        return f"<Percentile {self._share:g}: bin {self.bin}, {self._below} below>"

    def follow(self, counts: list[int], total: int, added: int) -> None:
        """One count was added in the bin `added`."""
        if added < self.bin:
            self._below += 1
        rank = max(1, ceil(self._share * total))
        while self._below >= rank:
            self.bin -= 1
            self._below -= counts[self.bin]
        while self._below + counts[self.bin] < rank:
            self._below += counts[self.bin]
            self.bin += 1


class Histogram:
    """The pauses of one function, and the window that follows from them."""

    __slots__ = ("_counts", "_head", "_policy", "_shape", "_squares", "_tail", "_too_long", "_total", "rest", "window")

    def __init__(self, policy: HybridHistogram) -> None:
        self._policy = policy
        self._counts = [0] * policy.bins
        self._total = 0  # within bounds
        self._squares = 0  # of the counts, summed
        self._too_long = 0
        self._head = Percentile(policy.head)
        self._tail = Percentile(policy.tail)
        self._shape: tuple[int, int] | None = None  # the bins that `window` was made from
        self.rest: float | None = None  # the last execution's end, until the next arrival
        self.window = self._standard("no pause seen yet")

    def __repr__(self) -> str:
        return f"<Histogram of {self._total} pauses, {self._too_long} too long>"

    def add(self, pause_s: float) -> None:
        index = int(pause_s / self._policy.bin_s)
        if index < self._policy.bins:
            count = self._counts[index]
            self._counts[index] = count + 1
            self._total += 1
            self._squares += 2 * count + 1
            self._head.follow(self._counts, self._total, index)
            self._tail.follow(self._counts, self._total, index)
        else:
            self._too_long += 1
        self._look()

    def _look(self) -> None:
        policy = self._policy
        if self._too_long and self._too_long >= policy.out_of_bounds * (self._too_long + self._total):
            self._shape, self.window = None, self._standard("too many pauses are longer than the histogram")
        elif self._squares * policy.bins < (1 + policy.variation**2) * self._total**2:
            # variation**2 = (squares / bins - mean**2) / mean**2, with mean = total / bins
            self._shape, self.window = None, self._standard("pauses too evenly spread")
        elif self._shape != (self._head.bin, self._tail.bin):
            self._shape = (self._head.bin, self._tail.bin)
            from_s = self._head.bin * policy.bin_s * (1 - policy.margin)
            until_s = (self._tail.bin + 1) * policy.bin_s * (1 + policy.margin)
            why = f"pauses last {self._head.bin * policy.bin_s:g} to {(self._tail.bin + 1) * policy.bin_s:g} s"
            self.window = Window(from_s, until_s, why)

    def _standard(self, why: str) -> Window:
        range_s = self._policy.bins * self._policy.bin_s
        return Window(0.0, range_s, f"{why}: kept for {range_s:g} s")


class HistogramState(LruState):
    __slots__ = ("_functions", "_policy")

    def __init__(self, policy: HybridHistogram) -> None:
        self._policy = policy
        self._functions: dict[str, Histogram] = {}

    def __repr__(self) -> str:
        return f"<HistogramState {len(self._functions)} functions>"

    def arrived(self, now: float, function: str) -> None:
        histogram = self._functions.get(function)
        if histogram is not None and histogram.rest is not None:
            histogram.add(now - histogram.rest)
            histogram.rest = None

    def became_idle(self, now: float, idle: Idle) -> Expiry | None:
        histogram = self._functions.get(idle.function)
        if histogram is None:
            histogram = self._functions[idle.function] = Histogram(self._policy)
        window = histogram.window
        if idle.used:
            histogram.rest = now
            return Expiry(now + window.until_s if window.from_s == 0 else now, window.why)
        # Made ahead: it waits for the arrival that is due, or, asked for by hand after that, for the one to come.
        rest = histogram.rest
        start = now if rest is None or rest + window.until_s <= now else rest
        return Expiry(start + window.until_s, window.why)

    def prewarm_at(self, now: float, function: str) -> Expiry | None:
        histogram = self._functions.get(function)
        if histogram is None or histogram.rest is None:
            return None
        at = histogram.rest + histogram.window.from_s
        return Expiry(at, histogram.window.why) if at > now else None
