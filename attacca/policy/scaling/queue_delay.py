"""One more while the first in the queue waits too long; as many as were at work, when it does not."""

from typing import Annotated

import msgspec

from attacca.kernel.window import Most
from attacca.policy.scaling.paced import Paced
from attacca.policy.scaling.types import Demand, many

Positive = Annotated[float, msgspec.Meta(gt=0)]


class QueueDelay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Shenango (Ousterhout, Fried, Behrens, Belay, Balakrishnan: NSDI 2019) gives cores to applications, with
    sandboxes in their place: every `tick_s`, who has had somebody in its queue for `delay_s` gets one more, however
    many wait; who is idle gives them back.

    What differs: a sandbox takes longer to come than a core. So one that is starting counts for as many as it will take
    at once, and only those beyond call for more; and what is not used goes after `idle_s`, down to the most that were
    under way in that time.
    """

    tick_s: Positive = 0.1
    delay_s: Annotated[float, msgspec.Meta(ge=0)] = 0.05
    idle_s: Positive = 60.0

    def fresh(self) -> "Congestion":
        return Congestion(self)


class Congestion(Paced):
    __slots__ = ("_most", "_policy")

    def __init__(self, policy: QueueDelay) -> None:
        super().__init__(policy.tick_s)
        self._policy = policy
        self._most = Most(policy.idle_s)  # sandboxes that what was under way needed

    def __repr__(self) -> str:
        return f"<Congestion {self._said.wanted} wanted, {self._most!r}>"

    def note(self, now: float, demand: Demand) -> None:
        self._most.add(now, many((demand.running + demand.waiting) / demand.concurrency))

    def look(self, now: float, demand: Demand) -> tuple[int, str]:
        policy, there = self._policy, demand.ready + demand.starting
        needed = int(self._most.add(now, many((demand.running + demand.waiting) / demand.concurrency)))
        left_out = demand.waiting - demand.starting * demand.concurrency
        if not there and demand.waiting:
            return 1, "somebody waits, and there is none"
        if left_out > 0 and demand.waited_s >= policy.delay_s:
            return there + 1, f"the first has waited {demand.waited_s:.3g} s, and {left_out} more wait than will fit"
        if needed < there:
            return needed, f"at most {needed} were needed in {policy.idle_s:g} s"
        return there, "nobody waits too long"
