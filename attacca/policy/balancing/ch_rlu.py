"""Each function stays at its place on a ring of workers; popular ones go on to a neighbour when theirs is loaded."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from heapq import nsmallest
from math import cos, inf, log, pi, sqrt
from operator import attrgetter
from typing import Annotated

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.balancing.types import Asked, Picked, Worker

NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class ChRlu(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Consistent hashing with random load updates (Fuerst, Sharma: HPDC 2022), as Ilúvatar's `CHRLU` has it.

    Every worker has `vnodes` places on a ring, every function one; its chain is the first `chain_length` workers after
    it. A function that is not popular goes to the first of its chain. A popular one walks it: a worker's load plus
    noise ~ Normal(rate / cores, `noise`) must not exceed `bounded_ceil`; the first that fits gets it, and keeps the
    noise in its load; if none fits, the first of the chain gets it. Popular are the `popular_share` of the functions
    with the highest arrival rates. Loads and popularity are looked at anew every `refresh_s`.

    Three things differ. Places are hashes of names, the same after every restart. A function whose rate is not known
    is not popular. And load is (queued + running) / cores by the gateway's own count, not a load average of a minute.
    """

    popular_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    bounded_ceil: NotNegative = 1.5
    chain_length: Count = 4
    vnodes: Count = 3
    noise: NotNegative = 0.1  # standard deviation
    refresh_s: NotNegative = 0.5

    def fresh(self, chance: Chance) -> "Ring":
        return Ring(self, chance)


class Ring:
    __slots__ = ("_chains", "_chance", "_loads", "_places", "_policy", "_popular", "_rates", "_refresh_at", "_workers")

    def __init__(self, policy: ChRlu, chance: Chance) -> None:
        self._policy = policy
        self._chance = chance
        self._workers: list[Worker] = []
        self._places: list[tuple[int, str, Worker]] = []  # sorted; two names at one place go by name
        self._chains: dict[str, list[Worker]] = {}  # by function, as long as the workers stay the same
        self._loads: dict[str, float] = {}  # by worker: as last looked at, and the noise since
        self._rates: dict[str, float] = {}  # by function that was ever invoked
        self._popular: dict[str, None] = {}
        self._refresh_at = -inf

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = sorted(workers, key=attrgetter("name"))
        numbers = range(self._policy.vnodes)
        places = (
            (place_of(f"{worker.name}/{number}"), worker.name, worker) for worker in workers for number in numbers
        )
        self._places = sorted(places, key=_place_and_name)
        self._chains.clear()
        self._refresh_at = -inf

    def pick(self, now: float, asked: Asked) -> Picked:
        function = asked.function
        self._rates[function] = asked.rate
        if now >= self._refresh_at:
            self._refresh(now)
        chain = self._chains.get(function)
        if chain is None:
            chain = self._chains[function] = self._chain(function)
        if function not in self._popular:
            return Picked(chain[0].name, "first of its chain")
        loads, most = self._loads, self._policy.bounded_ceil
        for worker in chain:
            noise = self._normal(asked.rate / worker.cores)
            if loads[worker.name] + noise <= most:
                loads[worker.name] += noise
                return Picked(worker.name, "popular: first of its chain that is not overloaded")
        return Picked(chain[0].name, "popular: all of its chain are overloaded")

    def _refresh(self, now: float) -> None:
        self._refresh_at = now + self._policy.refresh_s
        self._loads = {worker.name: (worker.queued + worker.running) / worker.cores for worker in self._workers}
        most = int(self._policy.popular_share * len(self._rates) + 0.5)
        known = ((-rate, name) for name, rate in self._rates.items() if rate > 0)
        self._popular = dict.fromkeys(name for _, name in nsmallest(most, known))

    def _chain(self, function: str) -> list[Worker]:
        chain: list[Worker] = []
        for worker in self._around(place_of(function)):
            if worker not in chain:
                chain.append(worker)
                if len(chain) == self._policy.chain_length:
                    break
        return chain

    def _around(self, place: int) -> Iterator[Worker]:
        begin = bisect_right(self._places, place, key=_place)
        for _, _, worker in self._places[begin:]:
            yield worker
        for _, _, worker in self._places[:begin]:
            yield worker

    def _normal(self, mean: float) -> float:
        chance = self._chance
        return mean + self._policy.noise * sqrt(-2 * log(1 - chance.random())) * cos(2 * pi * chance.random())


def place_of(name: str) -> int:
    """The same in every process: Python's own hash of a text is not."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest())


def _place(entry: tuple[int, str, Worker]) -> int:
    return entry[0]


def _place_and_name(entry: tuple[int, str, Worker]) -> tuple[int, str]:
    return entry[:2]
