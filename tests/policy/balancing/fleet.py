"""Workers as plain facts, and chance that a test decides."""

from collections.abc import Sequence
from itertools import product
from typing import TypeVar

import msgspec
from hypothesis import strategies as st

from attacca.kernel.rand import Streams
from attacca.model.resources import Resources
from attacca.model.sandbox import MachineLoad
from attacca.policy.balancing.types import Asked, Balancer, Balancing
from tests.drawing import Every, one, several

T = TypeVar("T")


class Facts(msgspec.Struct):
    name: str
    queued: int = 0
    running: int = 0
    waiting: int = 0
    limit: int = 4
    cores: int = 2
    capacity: Resources = Resources(2048)
    free: Resources = Resources(1024)
    heard_at: float = 0.0
    load: MachineLoad | None = None
    charted: float | None = None
    warm: dict[str, int] = {}

    def idle(self, function: str) -> int:
        return self.warm.get(function, 0)


class Rigged:
    """Says what it is told to, again and again."""

    def __init__(self, *said: float) -> None:
        self._said = said
        self._count = 0

    def random(self) -> float:
        self._count += 1
        return self._said[(self._count - 1) % len(self._said)]

    def expovariate(self, lambd: float) -> float:
        raise NotImplementedError

    def choice(self, seq: Sequence[T]) -> T:
        raise NotImplementedError

    def sample(self, population: Sequence[T], k: int) -> list[T]:
        raise NotImplementedError

    def getrandbits(self, k: int) -> int:
        raise NotImplementedError


FACTS = Every(
    Facts,
    name=["ant", "bee", "cat", "dog", "eel", "fox"],
    queued=range(5),
    running=range(5),
    waiting=range(3),
    limit=range(1, 5),
    cores=range(1, 5),
)
FLEETS = st.lists(one(FACTS), min_size=1, max_size=6, unique_by=lambda worker: worker.name)
CALLS = several(list(product("fghij", range(5))), max_size=30)


def made(policy: Balancing, workers: Sequence[Facts], seed: int = 1) -> Balancer:
    balancer = policy.fresh(Streams(seed).stream("balancing"))
    balancer.among(workers)
    return balancer


def picks(balancer: Balancer, calls: list[tuple[str, int]]) -> list[str]:
    """One call each half second; the numbers are rates."""
    return [balancer.pick(at / 2, Asked(name, float(rate))).worker for at, (name, rate) in enumerate(calls)]
