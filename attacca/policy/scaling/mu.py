"""As many as the arrivals need, and so many more that those who wait are served within their objective."""

from math import ceil, floor
from typing import Annotated

import msgspec

from attacca.kernel.window import Buckets
from attacca.policy.scaling.paced import Paced
from attacca.policy.scaling.types import Demand, many

Positive = Annotated[float, msgspec.Meta(gt=0)]


class Mu(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mu (Mittal, Qi, Bhattacharya, Lyu, Li, Kulkarni, Li, Hwang, Ramakrishnan, Wood: SoCC 2021), as Dirigent has it.
    A sandbox serves concurrency / exec_s a second; an answer is to be there within slo = slo_factor * exec_s; the queue
    is what is under way beyond what fits into those that are ready. Every `tick_s`:

        wanted = max(1, ceil(arrivals a second / served a second) + ceil(queue / (served a second * (slo - exec_s))))

    within floor(ready / 2) and ceil(1000 * max(1, ready)). While the duration is not known, all that is under way is to
    fit. Arrivals are those of the last `window_s`: the forecasts that Dirigent trains besides, it uses for nothing.
    What differs: it is none until somebody calls, and again after `idle_s` without arrivals; theirs never is.
    """

    tick_s: Positive = 2.0
    window_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 10.0
    slo_factor: Annotated[float, msgspec.Meta(gt=1)] = 10.0
    idle_s: Annotated[float, msgspec.Meta(ge=0)] = 60.0

    def fresh(self) -> "Queueing":
        return Queueing(self)


class Queueing(Paced):
    __slots__ = ("_arrivals", "_busy_at", "_counted", "_policy")

    def __init__(self, policy: Mu) -> None:
        super().__init__(policy.tick_s)
        self._policy = policy
        self._arrivals = Buckets(policy.window_s)
        self._counted: int | None = None  # arrivals, as last told
        self._busy_at: float | None = None  # somebody came, or was under way; None: never

    def __repr__(self) -> str:
        return f"<Queueing {self._said.wanted} wanted, {self._arrivals!r}>"

    def note(self, now: float, demand: Demand) -> None:
        arrived = 0 if self._counted is None else max(0, demand.arrivals - self._counted)
        self._counted = demand.arrivals
        self._arrivals.add(now, arrived)
        if arrived or demand.running or demand.waiting:
            self._busy_at = now

    def look(self, now: float, demand: Demand) -> tuple[int, str]:
        policy = self._policy
        if self._busy_at is None:
            return 0, "nobody has called"
        if now > self._busy_at + policy.idle_s:
            return 0, f"idle for {policy.idle_s:g} s"
        load = demand.running + demand.waiting
        if not demand.exec_s:
            return max(1, many(load / demand.concurrency)), f"{load} under way, for nobody knows how long"
        rate = self._arrivals.per_second(now, policy.window_s, least_s=1.0)
        served = demand.concurrency / demand.exec_s
        queue = max(0, load - demand.ready * demand.concurrency)
        to_spare_s = (policy.slo_factor - 1) * demand.exec_s
        wanted = many(rate / served) + many(queue / (served * to_spare_s))
        fewest, most = floor(demand.ready / 2), ceil(1000 * max(1, demand.ready))
        why = f"{rate:.3g} a second, {queue} beyond what fits, {to_spare_s:.3g} s to spare"
        return max(1, min(max(wanted, fewest), most)), why
