"""Each function stays at its place on a ring of workers, and goes on round it when that is loaded, or soon will be."""

from collections.abc import Sequence
from heapq import nsmallest
from itertools import islice
from math import cos, inf, log, pi, sqrt
from operator import attrgetter
from typing import Annotated, Literal

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.balancing.ring import Ring
from attacca.policy.balancing.types import Asked, Balancer, Picked, Worker

NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class ChRlu(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Consistent hashing with random load updates (Fuerst, Sharma: HPDC 2022).

    Every worker has `vnodes` places on a ring, every function one. An invocation goes to the first worker after its
    function's place whose load, (queued + running) / cores, is not above `bounded_ceil`; if there is none, to the least
    loaded of all. Popular are the `popular_share` of the functions with the highest arrival rates, looked at every
    `refresh_s`: to what such a one finds is added noise ~ Normal(rate * exec_s / cores, `noise`), the load that all of
    it would bring, so that it moves on before its place is full, and leaves that to the others.

    `like = "code"` does what Ilúvatar's `CHRLU` does in place of that. Only the popular move on, through the first
    `chain_length` workers; their noise has the mean rate / cores, which is no load: a function that is called often
    enough exceeds `bounded_ceil` everywhere by that alone, however short it runs, and then all of it goes to the first
    worker. Loads are as they were at the last look, with the noise since. Two things differ: places are hashes of
    names, the same after every restart; and a function whose rate is not known is not popular.
    """

    like: Literal["paper", "code"] = "paper"
    popular_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    bounded_ceil: NotNegative = 1.5
    chain_length: Count = 4  # of "code"
    vnodes: Count = 3
    noise: NotNegative = 0.1  # standard deviation
    refresh_s: NotNegative = 0.5

    def fresh(self, chance: Chance) -> Balancer:
        return Ceiled(self, chance) if self.like == "paper" else Chained(self, chance)


class Favour:
    """Which functions are popular, as last looked at."""

    __slots__ = ("_policy", "_popular", "_rates", "_refresh_at")

    def __init__(self, policy: ChRlu) -> None:
        self._policy = policy
        self._rates: dict[str, float] = {}  # by function that was ever invoked
        self._popular: dict[str, None] = {}
        self._refresh_at = -inf

    def __contains__(self, function: str) -> bool:
        return function in self._popular

    def __repr__(self) -> str:
        return f"<Favour {len(self._popular)} of {len(self._rates)} functions>"

    def forget(self) -> None:
        """Look at the next chance."""
        self._refresh_at = -inf

    def hear(self, now: float, asked: Asked) -> bool:
        """True: everything was looked at anew."""
        self._rates[asked.function] = asked.rate
        if now < self._refresh_at:
            return False
        self._refresh_at = now + self._policy.refresh_s
        most = int(self._policy.popular_share * len(self._rates) + 0.5)
        known = ((-rate, name) for name, rate in self._rates.items() if rate > 0)
        self._popular = dict.fromkeys(name for _, name in nsmallest(most, known))
        return True


class Ceiled:
    """As the paper means it."""

    __slots__ = ("_chance", "_favour", "_policy", "_ring", "_workers")

    def __init__(self, policy: ChRlu, chance: Chance) -> None:
        self._policy = policy
        self._chance = chance
        self._ring = Ring(policy.vnodes)
        self._favour = Favour(policy)
        self._workers: list[Worker] = []

    def __repr__(self) -> str:
        return f"<Ceiled {len(self._workers)} workers, {self._favour!r}>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = sorted(workers, key=attrgetter("name"))
        self._ring.among(workers)

    def pick(self, now: float, asked: Asked) -> Picked:
        self._favour.hear(now, asked)
        policy = self._policy
        is_popular = asked.function in self._favour
        work = asked.rate * asked.exec_s  # how many of it run at once, by Little's law
        for passed, worker in enumerate(self._ring.after(asked.function)):
            load = _load(worker)
            if is_popular:
                load += normal(self._chance, work / worker.cores, policy.noise)
            if load <= policy.bounded_ceil:
                whose = "popular: " if is_popular else ""
                return Picked(worker.name, f"{whose}{passed} before it are loaded" if passed else f"{whose}first")
        return Picked(min(self._workers, key=_load).name, "all are loaded: least of them")


class Chained:
    """As Ilúvatar's code has it."""

    __slots__ = ("_chains", "_chance", "_favour", "_loads", "_policy", "_ring", "_workers")

    def __init__(self, policy: ChRlu, chance: Chance) -> None:
        self._policy = policy
        self._chance = chance
        self._ring = Ring(policy.vnodes)
        self._favour = Favour(policy)
        self._workers: list[Worker] = []
        self._chains: dict[str, list[Worker]] = {}  # by function, as long as the workers stay the same
        self._loads: dict[str, float] = {}  # by worker: as last looked at, and the noise since

    def __repr__(self) -> str:
        return f"<Chained {len(self._workers)} workers, {len(self._chains)} chains>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = list(workers)
        self._ring.among(workers)
        self._chains.clear()
        self._favour.forget()

    def pick(self, now: float, asked: Asked) -> Picked:
        function = asked.function
        if self._favour.hear(now, asked):
            self._loads = {worker.name: _load(worker) for worker in self._workers}
        chain = self._chains.get(function)
        if chain is None:
            chain = self._chains[function] = list(islice(self._ring.after(function), self._policy.chain_length))
        if function not in self._favour:
            return Picked(chain[0].name, "first of its chain")
        loads, most = self._loads, self._policy.bounded_ceil
        for worker in chain:
            noise = normal(self._chance, asked.rate / worker.cores, self._policy.noise)
            if loads[worker.name] + noise <= most:
                loads[worker.name] += noise
                return Picked(worker.name, "popular: first of its chain that is not overloaded")
        return Picked(chain[0].name, "popular: all of its chain are overloaded")


def normal(chance: Chance, mean: float, deviation: float) -> float:
    """One draw, by Box and Muller's rule."""
    return mean + deviation * sqrt(-2 * log(1 - chance.random())) * cos(2 * pi * chance.random())


def _load(worker: Worker) -> float:
    return (worker.queued + worker.running) / worker.cores
