"""What a concurrency policy is told, and what it answers: how many invocations run at once on this worker."""

from typing import Final, NamedTuple, Protocol

import msgspec

from attacca.kernel import protocol


class Load(msgspec.Struct, frozen=True):
    """A worker now. `load_per_core` is the 1-minute load average divided by the cores."""

    running: int
    queued: int
    limit: int
    cores: int
    load_per_core: float


class Limit(NamedTuple):
    most: int
    why: str


class Concurrency(Protocol):
    @property
    def every_s(self) -> float | None:
        """How often `adjust` wants to be asked; None: never."""

    def first(self, cores: int) -> int:
        """The limit to start with."""

    def adjust(self, now: float, load: Load) -> Limit: ...
    def can_skip(self, exec_s: float) -> bool:
        """May an invocation of a function this short run above the limit, if an idle sandbox of it is at hand?"""


CONCURRENCY: Final[protocol.Wanted] = {
    "every_s": None,
    "first": ("cores",),
    "adjust": ("now", "load"),
    "can_skip": ("exec_s",),
}


def checked(policy: Concurrency) -> Concurrency:
    """
    Raises:
        BadConfig: it lacks something that it will be asked for.
    """
    hint = "attacca/policy/concurrency/types.py says what each is for; copy the shape of Fixed"
    protocol.check(policy, CONCURRENCY, {}, f"concurrency policy {type(policy).__name__}", hint)
    return policy
