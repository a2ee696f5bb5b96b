"""What a balancing policy is told, and what it answers: which worker gets the next invocation."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from attacca.kernel.chance import Chance


class Worker(Protocol):
    """One worker, as the asking gateway knows it now. `queued` and `running` are the gateway's own count of what it has
    sent there and has not ended, and so never stale; the rest is what the worker last said of itself."""

    @property
    def name(self) -> str: ...
    @property
    def queued(self) -> int: ...
    @property
    def running(self) -> int: ...
    @property
    def limit(self) -> int:
        """Invocations that it runs at once; at least 1."""

    @property
    def cores(self) -> int:
        """At least 1."""

    @property
    def memory_free_mb(self) -> int: ...
    @property
    def heard_at(self) -> float:
        """When it last said something of itself, in seconds on the gateway's clock."""

    def idle(self, function: str) -> int:
        """Idle sandboxes of the function."""


class Asked(msgspec.Struct, frozen=True, gc=False):
    """The invocation that needs a worker. `rate` is its function's arrivals per second; 0 while it is not known."""

    function: str
    rate: float = 0.0


class Picked(NamedTuple):
    worker: str
    why: str


class Balancer(Protocol):
    """What one gateway remembers in order to decide. Its answers never depend on the order of its workers."""

    def among(self, workers: Sequence[Worker]) -> None:
        """From now on it is these. Each keeps showing what is so at the moment of looking."""

    def pick(self, now: float, asked: Asked) -> Picked:
        """Only called while there is at least one worker. Equal scores go to the smaller name."""


class Balancing(Protocol):
    """A policy: frozen parameters that make a balancer."""

    def fresh(self, chance: Chance) -> Balancer: ...
