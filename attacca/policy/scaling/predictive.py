"""As many as the arrivals of the last hour let expect, made before they are needed, and not too many at once."""

from collections import deque
from math import floor
from typing import Annotated, cast

import msgspec

from attacca.kernel.window import Gauge
from attacca.policy.scaling.harmonics import forecast
from attacca.policy.scaling.paced import Paced
from attacca.policy.scaling.spread import Spread, Steps
from attacca.policy.scaling.types import Demand, many

Positive = Annotated[float, msgspec.Meta(gt=0)]
MINUTE_S = 60.0
NONE_BELOW = 0.1  # arrivals expected in a minute that are none


class Predictive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The predictive autoscaler of Dirigent ("Escargot"). Every `replan_s`, from the arrivals of the last
    `history_min` minutes, those of the next hour are forecast (`harmonics`: the trend, and the `waves` strongest
    waves). A minute with p arrivals wants

        ceil(poisson * p * exec_s / 60 / concurrency), but at most p; 1 for p from 0.1 to 1, none below

    All functions' plans together start at most `most_per_tick` sandboxes in a tick, and stop at most as many: what is
    too much is started earlier, and stopped later (`spread`). Corrections: none is planned and somebody is under way:
    1; twice as many are under way as fit, and more: one more than are ready. Until `least_min` minutes are known, it is
    the mean of what is under way over `stable_s`.

    What differs. Theirs begins after an hour, takes durations in whole seconds, and smoothes all plans at once every
    15 minutes, if none is older than 10; here a plan is put beside those of the others as it is made. They rank waves
    by |re + |im||, which is no size of anything; here by amplitude. It keeps to the bounds of the function, and
    stops nothing that is at work.
    """

    tick_s: Positive = 2.0
    stable_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 60.0
    replan_s: Positive = 120.0
    history_min: Annotated[int, msgspec.Meta(ge=2, le=1440)] = 60
    least_min: Annotated[int, msgspec.Meta(ge=2, le=1440)] = 10
    ahead_min: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 60
    waves: Annotated[int, msgspec.Meta(ge=0, le=720)] = 10
    poisson: Positive = 1.5
    most_per_tick: Annotated[int, msgspec.Meta(ge=1)] = 80

    def __post_init__(self) -> None:
        if self.least_min > self.history_min:
            raise ValueError(f"least_min ({self.least_min}) must not exceed history_min ({self.history_min})")

    def shared(self) -> Spread:
        return Spread(self.most_per_tick)

    def fresh(self, shared: object) -> "Planned":
        return Planned(self, cast("Spread", shared))


class Planned(Paced):
    __slots__ = ("_counted", "_load", "_minute", "_minutes", "_plan", "_planned", "_policy", "_replan_at", "_spread",
                 "_this_minute")  # fmt: skip

    def __init__(self, policy: Predictive, spread: Spread) -> None:
        super().__init__(policy.tick_s)
        self._policy = policy
        self._spread = spread
        self._load = Gauge(policy.stable_s)
        self._counted: int | None = None  # arrivals, as last told
        self._minute: int | None = None  # this one's number since time began
        self._this_minute = 0
        self._minutes: deque[int] = deque(maxlen=policy.history_min)  # arrivals in each that is over
        self._plan: Steps = []  # from now on; the first is the next one
        self._planned = 0  # sandboxes, by the plan
        self._replan_at: float | None = None  # None: nobody has ever called

    def __repr__(self) -> str:
        known, steps = len(self._minutes), len(self._plan)
        return f"<Planned {self._said.wanted} wanted, {known} minutes known, {steps} steps planned>"

    def note(self, now: float, demand: Demand) -> None:
        self._load.set(now, float(demand.running + demand.waiting))
        arrived = demand.arrivals if self._counted is None else max(0, demand.arrivals - self._counted)
        self._counted = demand.arrivals
        if self._replan_at is None and (arrived or demand.running or demand.waiting):
            self._replan_at = now
            self._minute = floor(now / MINUTE_S)
        self._turn(now)
        self._this_minute += arrived

    def _turn(self, now: float) -> None:
        """Minutes that are over."""
        if self._minute is None:
            return
        minute = floor(now / MINUTE_S)
        passed = minute - self._minute
        if passed:
            self._minutes.append(self._this_minute)
            self._minutes.extend([0] * min(passed - 1, self._policy.history_min))
            self._minute, self._this_minute = minute, 0

    def look(self, now: float, demand: Demand) -> tuple[int, str]:
        load, there, at_once = demand.running + demand.waiting, demand.ready, demand.concurrency
        if self._replan_at is None:
            return 0, "nobody has called"
        if len(self._minutes) < self._policy.least_min:
            mean = self._load.mean(now, self._policy.stable_s)
            wanted = many(mean / at_once)
            return max(wanted, min(load, 1)), f"{mean:.3g} on average; {len(self._minutes)} minutes are known"
        if now >= self._replan_at:
            self._replan(now, demand)
        wanted, why = self._by_plan(now), "as planned"
        if there and load > 2 * there * at_once and wanted <= there:
            return there + 1, f"{load} under way, which is not planned"
        at_work = max(min(load, 1), min(there, many(load / at_once)))
        return (at_work, f"{load} under way, which is not planned") if wanted < at_work else (wanted, why)

    def wake_at(self, now: float) -> float | None:
        """There is a plan to start some, or there may be one then."""
        policy = self._policy
        if self._minute is None or not (self._this_minute or any(self._minutes)):
            return None
        if len(self._minutes) < policy.least_min:
            return (self._minute + policy.least_min - len(self._minutes)) * MINUTE_S
        rises = [at * policy.tick_s for at, change in self._plan if change > 0]
        return max(now + policy.tick_s, min([*rises[:1], self._replan_at or now]))

    def _by_plan(self, now: float) -> int:
        tick = self._tick(now)
        while self._plan and self._plan[0][0] <= tick:
            self._planned += self._plan.pop(0)[1]
        return self._planned

    def _replan(self, now: float, demand: Demand) -> None:
        policy = self._policy
        self._spread.withdraw(self._plan)
        minute = cast("int", self._minute)
        expected = forecast(self._minutes, policy.ahead_min, policy.waves)
        wanted = [
            (self._tick((minute + at) * MINUTE_S), sandboxes(arrivals, demand, policy.poisson))
            for at, arrivals in enumerate(expected)
        ]
        self._planned = demand.ready + demand.starting
        self._plan = self._spread.plan(self._tick(now), self._planned, wanted)
        self._replan_at = now + policy.replan_s

    def _tick(self, at: float) -> int:
        return floor(at / self._policy.tick_s)


def sandboxes(arrivals: float, demand: Demand, poisson: float) -> int:
    """That a minute with so many arrivals wants."""
    if arrivals < NONE_BELOW:
        return 0
    if arrivals <= 1:
        return 1
    at_once = poisson * arrivals * demand.exec_s / MINUTE_S / demand.concurrency
    return many(at_once if 0 < at_once <= arrivals else arrivals)
