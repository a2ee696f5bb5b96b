"""For the mean load of a minute; for that of six seconds, when it is twice what is there for."""

from math import ceil, floor
from typing import Annotated, Literal

import msgspec

from attacca.kernel.window import Buckets, Gauge, Most
from attacca.policy.scaling.paced import Paced
from attacca.policy.scaling.types import Demand, many

Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Rate = Annotated[float, msgspec.Meta(gt=1)]
RPS_TARGET = 200.0  # Knative's


class Knative(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The autoscaler of Knative (KPA), with its formulas and, unless noted, its defaults. Every `tick_s`:

        target = (target, or what a sandbox takes at once) * utilization
        steady = ceil(mean over stable_s / target), burst = ceil(mean over panic_s / target)
        both within floor(ready / max_scale_down_rate) and ceil(max_scale_up_rate * max(1, ready))
        panic begins with burst >= panic_threshold * max(1, ready), before that bound, and ends stable_s after the last
        such look; in it the answer is the highest of all steadies and bursts of it, and never falls
        the answer is the highest of the last scale_down_delay_s, and at least initial_scale until that many were ready

    Load is what runs and what waits, or with `metric = "rps"` arrivals a second. The last sandbox stays for `grace_s`
    after the answer has come to 0.

    What differs: means are weighed by time, where Knative averages one sample a second; a function that had come to 0
    begins with empty windows, so that its next burst is not averaged with the silence before; `initial_scale` is 0, as
    nobody has called yet; and `target_burst_capacity`, which tells Knative whether its activator stays on the road, as
    the gateway here always does, is the room for a burst that is kept: with n there are so many sandboxes, while there
    are any, that n more would find a place beside the mean of panic_s (of concurrency; 0: none is kept).
    """

    metric: Literal["concurrency", "rps"] = "concurrency"
    target: Positive | None = None  # of one sandbox; None: what it takes at once, or 200 a second
    utilization: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.7  # so much of the target is aimed at
    stable_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 60.0
    panic_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 6.0
    panic_threshold: Annotated[float, msgspec.Meta(gt=1)] = 2.0
    tick_s: Positive = 2.0
    max_scale_up_rate: Rate = 1000.0
    max_scale_down_rate: Rate = 2.0
    scale_down_delay_s: NotNegative = 0.0
    grace_s: NotNegative = 30.0
    initial_scale: Annotated[int, msgspec.Meta(ge=0)] = 0
    target_burst_capacity: NotNegative = 0.0

    def __post_init__(self) -> None:
        if self.panic_s > self.stable_s:
            raise ValueError(f"panic_s ({self.panic_s:g}) must not exceed stable_s ({self.stable_s:g})")

    def fresh(self) -> "TwoWindows":
        return TwoWindows(self)


class TwoWindows(Paced):
    __slots__ = ("_arrivals", "_counted", "_delayed", "_has_begun", "_load", "_panic_at", "_panic_most", "_policy",
                 "_zero_at")  # fmt: skip

    def __init__(self, policy: Knative) -> None:
        super().__init__(policy.tick_s)
        self._policy = policy
        self._load = Gauge(policy.stable_s)
        self._arrivals = Buckets(policy.stable_s)
        self._counted: int | None = None  # arrivals, as last told
        self._delayed = Most(policy.scale_down_delay_s)
        self._panic_at: float | None = None  # the last look that was over the threshold
        self._panic_most = 0
        self._zero_at: float | None = None  # since then nothing is wanted, but for the grace
        self._has_begun = not policy.initial_scale

    def __repr__(self) -> str:
        mood = "steady" if self._panic_at is None else f"panic up to {self._panic_most}"
        return f"<TwoWindows {self._said.wanted} wanted, {self._load.value:g} under way, {mood}>"

    def note(self, now: float, demand: Demand) -> None:
        load = float(demand.running + demand.waiting)
        arrived = 0 if self._counted is None else max(0, demand.arrivals - self._counted)
        self._counted = demand.arrivals
        if self._said.wanted == 0 and not self._load.value:
            self._load.begin(now, load)
            self._arrivals.begin(now)
        else:
            self._load.set(now, load)
        self._arrivals.add(now, arrived)
        self._has_begun = self._has_begun or demand.ready >= self._policy.initial_scale

    def look(self, now: float, demand: Demand) -> tuple[int, str]:
        policy, ready = self._policy, max(1, demand.ready)
        target = self._target(demand)
        slow, fast = self._means(now)
        steady, burst = many(slow / target), many(fast / target)
        if policy.target_burst_capacity > 0 and policy.metric == "concurrency" and (steady or burst):
            each = policy.target or float(demand.concurrency)
            steady = max(steady, many((fast + policy.target_burst_capacity) / each))
        fewest, most = floor(demand.ready / policy.max_scale_down_rate), ceil(policy.max_scale_up_rate * ready)
        self._feel(now, is_over=burst >= policy.panic_threshold * ready)
        wanted, why = min(max(steady, fewest), most), f"{slow:.3g} on average, {target:.3g} each"
        if self._panic_at is not None:
            wanted = self._panic_most = max(self._panic_most, wanted, min(max(burst, fewest), most))
            why = f"panic: {fast:.3g} lately, {target:.3g} each"
        delayed = int(self._delayed.add(now, wanted))
        if delayed > wanted:
            wanted, why = delayed, f"as in the last {policy.scale_down_delay_s:g} s"
        if not self._has_begun and wanted < policy.initial_scale:
            wanted, why = policy.initial_scale, "to begin with"
        return self._with_grace(now, demand, wanted, why)

    def _target(self, demand: Demand) -> float:
        policy = self._policy
        per_sandbox = RPS_TARGET if policy.metric == "rps" else float(demand.concurrency)
        return (policy.target or per_sandbox) * policy.utilization

    def _means(self, now: float) -> tuple[float, float]:
        """Over the stable window and over the panic window."""
        policy = self._policy
        if policy.metric == "concurrency":
            return self._load.mean(now, policy.stable_s), self._load.mean(now, policy.panic_s)
        return self._rate(now, policy.stable_s), self._rate(now, policy.panic_s)

    def _rate(self, now: float, width_s: float) -> float:
        """Arrivals of less than a second are those of a second."""
        return self._arrivals.per_second(now, width_s, least_s=1.0)

    def _feel(self, now: float, *, is_over: bool) -> None:
        if is_over:
            self._panic_at = now
        elif self._panic_at is not None and now > self._panic_at + self._policy.stable_s:
            self._panic_at = None
            self._panic_most = 0

    def _with_grace(self, now: float, demand: Demand, wanted: int, why: str) -> tuple[int, str]:
        if wanted or demand.running or demand.waiting:
            self._zero_at = None
            return max(1, wanted), why
        if self._zero_at is None:
            self._zero_at = now
        if demand.ready + demand.starting and now < self._zero_at + self._policy.grace_s:
            return 1, f"idle: the last one stays for {self._policy.grace_s:g} s"
        return 0, f"idle for {self._policy.stable_s:g} s"
