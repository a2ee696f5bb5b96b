"""What a scaling policy is told, and what it answers: how many sandboxes a function has in the whole cluster."""

from math import ceil
from typing import Final, NamedTuple, Protocol, cast

import msgspec

from attacca.kernel import protocol


class Demand(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One function now, all gateways and workers taken together. Times in seconds; 0 while nothing is known."""

    running: int = 0  # invocations in sandboxes
    waiting: int = 0  # invocations that a gateway holds until a sandbox can take them
    waited_s: float = 0.0  # how long the first of those has waited
    arrivals: int = 0  # so far: only how much more it is than the last time says anything
    ready: int = 0  # sandboxes that can take invocations, or are full
    starting: int = 0  # sandboxes that were ordered and are not ready
    concurrency: int = 1  # invocations that a sandbox takes at once
    exec_s: float = 0.0  # the handler's own time, a moving average
    least: int = 0  # the function's min_sandboxes
    most: int | None = None  # its max_sandboxes; None: as many as there is room for


class Scaled(NamedTuple):
    """`wanted` is all of them, those that are starting too. `again_at`: ask again then, if nothing else happens before;
    None: only when there is something new."""

    wanted: int
    why: str
    again_at: float | None = None


class Scaler(Protocol):
    """What is remembered of one function in order to decide."""

    def ask(self, now: float, demand: Demand) -> Scaled:
        """How many? Asked whenever something has changed, however often that is, and at `again_at`. What it is told
        holds until it is asked the next time: that is how it sees a load over time.

        Where somebody waits and there is no sandbox, the answer is at least one, and now: a clock of its own, on
        which it looks at all else, does not count. `decide` sees to that for every policy, and to the bounds.
        """


class Plain(Protocol):
    """A policy that decides for each function by itself: frozen parameters that make a scaler.

    Of one that has `is_firm`, and it is true, all stays that it wants, also idle, where somebody waits for another
    function and there is no room; what others have and do not need gives way, but for their `min_sandboxes`.
    """

    def fresh(self) -> Scaler: ...


class Sharing(Protocol):
    """A policy whose scalers know of each other: what `shared` makes is made once for all functions that have the
    policy with the same options, and `fresh` is given it."""

    def shared(self) -> object: ...
    def fresh(self, shared: object) -> Scaler: ...


Scaling = Plain | Sharing

SCALER: Final[protocol.Wanted] = {"ask": ("now", "demand")}
FROM_ZERO = "somebody waits, and there was none"


class Scalers:
    """The scalers of all functions that have the same policy with the same options.

    Raises:
        BadConfig: the policy lacks something that it will be asked for.
    """

    __slots__ = ("_by_function", "_policy", "_shared", "is_firm")

    def __init__(self, policy: Scaling) -> None:
        self._policy = policy
        self._by_function: dict[str, Scaler] = {}
        self._shared: object = None
        self.is_firm = bool(getattr(policy, "is_firm", False))
        if hasattr(policy, "shared"):
            protocol.check(policy, {"shared": (), "fresh": ("shared",)}, {}, _whose(policy), HINT)
            self._shared = policy.shared()
        else:
            protocol.check(policy, {"fresh": ()}, {}, _whose(policy), HINT)
        protocol.check(self._fresh(), SCALER, {}, _whose(policy), HINT)

    def __repr__(self) -> str:
        return f"<Scalers {type(self._policy).__name__}, {len(self._by_function)} functions>"

    def ask(self, now: float, function: str, demand: Demand) -> Scaled:
        scaler = self._by_function.get(function)
        if scaler is None:
            scaler = self._by_function[function] = self._fresh()
        return decide(scaler, now, demand)

    def forget(self, function: str) -> None:
        """It is deleted, or has another policy now."""
        self._by_function.pop(function, None)

    def _fresh(self) -> Scaler:
        if self._shared is None:
            return cast("Plain", self._policy).fresh()
        return cast("Sharing", self._policy).fresh(self._shared)


def decide(scaler: Scaler, now: float, demand: Demand) -> Scaled:
    """The scaler's answer, within what the function allows, and never none while somebody waits."""
    wanted, why, again_at = scaler.ask(now, demand)
    if wanted < 1 and demand.waiting:
        wanted, why = 1, FROM_ZERO
    if demand.most is not None and wanted > demand.most:
        return Scaled(demand.most, f"max_sandboxes, else {wanted}: {why}", again_at)
    if wanted < demand.least:
        return Scaled(demand.least, f"min_sandboxes, else {wanted}: {why}", again_at)
    return Scaled(wanted, why, again_at)


def many(load: float) -> int:
    """Whole sandboxes for so much: rounded up, but not for what sums of times are off by."""
    return ceil(round(load, 9))


HINT = "docs/policies.md says what each is for; copy the shape of attacca/policy/scaling/fixed.py"


def _whose(policy: Scaling) -> str:
    return f"scaling policy {type(policy).__name__}"
