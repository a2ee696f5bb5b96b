"""What a balancing policy is told, and what it answers: which worker gets the next invocation."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from attacca.kernel import protocol
from attacca.kernel.chance import Chance
from attacca.model.resources import NOTHING, Resources
from attacca.model.sandbox import MachineLoad


class Worker(Protocol):
    """One worker, as the asking gateway knows it now. `queued` and `running` are the gateway's own count of what it has
    sent there and has not ended, and so never stale; `idle` is what the worker has said of each change since somebody
    first looked at it, and at that first look what its last heartbeat said; the rest is what it said of itself in its
    last heartbeat, a second old at most."""

    @property
    def name(self) -> str: ...
    @property
    def queued(self) -> int: ...
    @property
    def running(self) -> int: ...
    @property
    def waiting(self) -> int:
        """Invocations that waited there, whoever sent them."""

    @property
    def limit(self) -> int:
        """Invocations that it runs at once; at least 1."""

    @property
    def cores(self) -> int:
        """At least 1."""

    @property
    def capacity(self) -> Resources:
        """Of all its sandboxes and templates."""

    @property
    def free(self) -> Resources:
        """Of it, held by none."""

    @property
    def load(self) -> MachineLoad | None:
        """How busy its machine is, whoever makes it so; None where nobody measures that."""

    @property
    def charted(self) -> float | None:
        """Its load average for each processor, as a database of time series has it; None where none is asked, or it
        does not know."""

    @property
    def heard_at(self) -> float:
        """When it last said something of itself, in seconds on the gateway's clock."""

    def idle(self, function: str) -> int:
        """Idle sandboxes of the function."""


class Asked(msgspec.Struct, frozen=True, gc=False):
    """The invocation that needs a worker, and what this gateway knows of its function; 0 while it is not known."""

    function: str
    rate: float = 0.0  # arrivals per second, by a moving average
    exec_s: float = 0.0  # its handler's own time, a moving average: how long it will probably run
    resources: Resources = NOTHING  # of one sandbox
    application: str = ""
    trigger: str = ""


class Picked(msgspec.Struct, frozen=True, gc=False):
    worker: str
    why: str


class Done(NamedTuple):
    """An invocation that a sandbox had is over."""

    worker: str
    function: str
    start: str  # warm, cold, template or prewarmed
    run_s: float  # the handler's own time; 0: it did not come to its end
    is_ok: bool


class Balancer(Protocol):
    """What one gateway remembers in order to decide. Its answers never depend on the order of its workers. See
    `ListeningBalancer` for what else it may have."""

    def among(self, workers: Sequence[Worker]) -> None:
        """From now on it is these. Each keeps showing what is so at the moment of looking."""

    def pick(self, now: float, asked: Asked) -> Picked:
        """Only called while there is at least one worker. Equal scores go to the smaller name."""


class ListeningBalancer(Protocol):
    """What a balancer may have besides; whatever it has is called."""

    def ended(self, now: float, done: Done) -> None:
        """A completion."""

    def eased(self, worker: str) -> None:
        """It has one invocation less than a moment ago, for whatever reason, or runs more or fewer at once."""

    def resting(self, now: float, worker: str, function: str, idle: int) -> None:
        """The worker has now so many idle sandboxes of the function: one more, as one came to rest, or fewer, as one
        was taken, evicted or lost."""


class Balancing(Protocol):
    """A policy: frozen parameters that make a balancer."""

    def fresh(self, chance: Chance) -> Balancer: ...


BALANCER: Final[protocol.Wanted] = {"among": ("workers",), "pick": ("now", "asked")}
LISTENING: Final[protocol.Wanted] = {
    "ended": ("now", "done"),
    "eased": ("worker",),
    "resting": ("now", "worker", "function", "idle"),
}


def begin(policy: Balancing, chance: Chance) -> Balancer:
    """A balancer, which has all that it will be asked for.

    Raises:
        BadConfig: it has not.
    """
    whose = f"balancing policy {type(policy).__name__}"
    hint = "docs/write-a-policy.md says what each is for; copy the shape of LeastLoaded"
    protocol.check(policy, {"fresh": ("chance",)}, {}, whose, hint)
    balancer = policy.fresh(chance)
    protocol.check(balancer, BALANCER, LISTENING, whose, hint)
    return balancer
