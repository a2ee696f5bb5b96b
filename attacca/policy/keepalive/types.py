"""What a keep-alive policy is told, and what it answers: who is evicted, and when."""

from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol, cast

import msgspec

from attacca.kernel import protocol
from attacca.kernel.chance import Chance
from attacca.kernel.window import Measure
from attacca.model.resources import NOTHING, Resources


class Known(Protocol):
    """What the worker knows of one function, as it is at the moment of looking. Times in seconds; 0 when unknown."""

    @property
    def application(self) -> str:
        """What it belongs to: its own name, unless something else was said."""

    @property
    def trigger(self) -> str:
        """What calls it: http, timer, queue, ..."""

    @property
    def resources(self) -> Resources:
        """Of one sandbox."""

    @property
    def invocations(self) -> int:
        """Those that arrived so far."""

    @property
    def running(self) -> int: ...
    @property
    def pending(self) -> int:
        """Invocations that wait for a sandbox that is being made."""

    @property
    def sandboxes(self) -> int:
        """Those that serve, rest, or are being made."""

    @property
    def idle(self) -> int: ...
    @property
    def cached_uses(self) -> int:
        """Invocations that were handed to those of its sandboxes that are there now."""

    @property
    def exec_s(self) -> Measure:
        """The handler's own time. Of this and the next two: `mean`, `ewma` (a moving average), `percentile(0.95)`."""

    @property
    def cold_s(self) -> Measure:
        """What making a sandbox took."""

    @property
    def gap_s(self) -> Measure:
        """The time between arrivals."""


class House(Protocol):
    """The worker around a keep-alive state, as it is at the moment of looking, and what the state may ask of it."""

    @property
    def capacity(self) -> Resources:
        """Of all sandboxes and templates together."""

    @property
    def used(self) -> Resources:
        """Of them, in use or about to be free."""

    @property
    def idle(self) -> Resources:
        """Of them, sandboxes at rest."""

    @property
    def pressure(self) -> float:
        """The share that is in use, from 0 to 1, of whatever is scarcest: of the memory, unless more is counted."""

    @property
    def chance(self) -> Chance:
        """The same draws whenever the same scenario is simulated with the same seed."""

    def known(self, function: str) -> Known | None: ...
    def wake_at(self, at: float) -> None:
        """`woke` is called then, or soon after. One call at a time: a later order takes the place of an earlier one."""


class Idle(msgspec.Struct, frozen=True, gc=False):
    """One idle sandbox, as it was when it came to rest. Times in seconds on the worker's clock."""

    sandbox: str
    function: str
    resources: Resources
    idle_since: float
    uses: int  # invocations of its function so far
    cold_s: float  # what a new one would cost: the moving average of its function's cold starts
    gap_s: float  # moving average of the time between its function's arrivals; 0 when unknown
    used: bool = True  # False: made ahead of need, nothing has run in it yet
    served: int = 0  # invocations that were handed to it
    cached_uses: int = 0  # and to all of its function's sandboxes that are there
    exec_s: float = 0.0  # moving average of its function's own time
    application: str = ""
    trigger: str = ""


class Expiry(msgspec.Struct, frozen=True, gc=False):
    """`copies`: so many sandboxes, where they are to be made."""

    at: float
    why: str
    copies: int = 1


class Use(NamedTuple):
    """`start`: warm, cold, template or prewarmed. `pended`: it waited for a sandbox that was being made."""

    function: str
    sandbox: str
    start: str
    pended: bool


class Ahead(NamedTuple):
    """Make so many sandboxes of a function now, as far as memory is free."""

    function: str
    copies: int
    why: str


class KeepaliveState(Protocol):
    """What one worker remembers to decide about its idle sandboxes. See `ListeningState` for what else it may have."""

    def arrived(self, now: float, function: str) -> None:
        """An invocation of the function arrived."""

    def became_idle(self, now: float, idle: Idle) -> Expiry | None:
        """The sandbox came to rest. When should it go if nothing uses it? None: only under pressure."""

    def became_busy(self, now: float, idle: Idle) -> None:
        """An idle sandbox was taken into use: a hit."""

    def victims(self, now: float, idle: Iterable[Idle]) -> list[Idle]:
        """All of them, the first to go first. Independent of the order they come in."""

    def evicted(self, now: float, idle: Idle) -> None:
        """It is gone."""

    def prewarm_at(self, now: float, function: str) -> Expiry | None:
        """When sandboxes should be made ahead of the next arrival, asked when the function's last one expires."""


class ListeningState(Protocol):
    """What a state may have besides; whatever it has is called."""

    def made(self, now: float, function: str) -> None:
        """A sandbox of the function is being made for somebody who waits, and `pended` until it was there."""

    def began(self, now: float, use: Use) -> None:
        """An invocation was handed to a sandbox."""

    def woke(self, now: float) -> Iterable[Ahead]:
        """The moment that was asked for with `wake_at` has come."""


class Blind(Protocol):
    """A policy whose state needs no more than it is told."""

    def fresh(self) -> KeepaliveState: ...


class Seeing(Protocol):
    """One whose state looks around."""

    def fresh(self, house: House) -> KeepaliveState: ...


Keepalive = Blind | Seeing  # frozen parameters that make a state


class Nowhere:
    """A worker with nothing in it: enough to see whether a policy makes a state."""

    def __init__(self, chance: Chance) -> None:
        self.capacity = Resources(1)
        self.used = self.idle = NOTHING
        self.pressure = 0.0
        self.chance = chance

    def __repr__(self) -> str:
        return "<Nowhere>"

    def known(self, function: str) -> Known | None:
        return None

    def wake_at(self, at: float) -> None:
        pass


KEEPALIVE_STATE: Final[protocol.Wanted] = {
    "arrived": ("now", "function"),
    "became_idle": ("now", "idle"),
    "became_busy": ("now", "idle"),
    "victims": ("now", "idle"),
    "evicted": ("now", "idle"),
    "prewarm_at": ("now", "function"),
}
LISTENING: Final[protocol.Wanted] = {
    "made": ("now", "function"),
    "began": ("now", "use"),
    "woke": ("now",),
}


def begin(policy: Keepalive, house: House) -> KeepaliveState:
    """A state, which has all that it will be asked for.

    Raises:
        BadConfig: it has not.
    """
    whose = f"keep-alive policy {type(policy).__name__}"
    hint = "docs/write-a-policy.md says what each is for; whoever inherits from LruState has them all"
    if protocol.takes(policy, "fresh", 0):
        state = cast("Blind", policy).fresh()
    else:
        protocol.check(policy, {"fresh": ("house",)}, {}, whose, hint)
        state = cast("Seeing", policy).fresh(house)
    protocol.check(state, KEEPALIVE_STATE, LISTENING, whose, hint)
    return state
