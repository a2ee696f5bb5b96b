"""What a keep-alive policy is told, and what it answers: who is evicted, and when."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import msgspec


class Idle(msgspec.Struct, frozen=True, gc=False):
    """One idle sandbox. Times in seconds on the worker's clock."""

    sandbox: str
    function: str
    memory_mb: int
    idle_since: float
    uses: int  # invocations of its function so far
    cold_s: float  # what a new one would cost: the moving average of its function's cold starts
    gap_s: float  # moving average of the time between its function's arrivals; 0 when unknown
    used: bool = True  # False: made ahead of need, nothing has run in it yet


class Expiry(NamedTuple):
    at: float
    why: str


class Keeper(Protocol):
    """What one worker remembers to decide about its idle sandboxes."""

    def arrived(self, now: float, function: str) -> None:
        """An invocation of the function arrived."""

    def rested(self, now: float, idle: Idle) -> Expiry | None:
        """The sandbox came to rest. When should it go if nothing uses it? None: only under pressure."""

    def taken(self, now: float, idle: Idle) -> None:
        """An idle sandbox was taken into use: a hit."""

    def victims(self, now: float, idle: Iterable[Idle]) -> list[Idle]:
        """All of them, the first to go first. Independent of the order they come in."""

    def evicted(self, now: float, idle: Idle) -> None:
        """It is gone."""

    def prewarm_at(self, now: float, function: str) -> Expiry | None:
        """When a sandbox should be made ahead of the next arrival, asked when the function's last one expires."""


class Keepalive(Protocol):
    """A policy: frozen parameters that make a keeper."""

    def fresh(self) -> Keeper: ...
