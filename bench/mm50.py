"""The same queueing system, M/M/50 at rho 0.9, on SimPy and on our engine: each in the style that is natural to it.

python bench/mm50.py [CUSTOMERS]
"""

import random
import sys
import time
from collections import deque
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import simpy

from attacca.sim.engine import Engine

SERVERS, RHO = 50, 0.9


def on_simpy(customers: int, seed: int) -> float:
    """The mean wait, in mean services."""
    environment = simpy.Environment()
    servers = simpy.Resource(environment, SERVERS)
    arrivals, services = random.Random(seed), random.Random(seed + 1)
    waited = 0.0

    def customer() -> Generator[Any, Any, Any]:
        nonlocal waited
        came = environment.now
        with servers.request() as turn:
            yield turn
            waited += environment.now - came
            yield environment.timeout(services.expovariate(1.0))

    def source() -> Generator[Any, Any, Any]:
        for _ in range(customers):
            yield environment.timeout(arrivals.expovariate(RHO * SERVERS))
            environment.process(customer())

    environment.process(source())
    environment.run()
    return waited / customers


class Shop:
    """The system as events: somebody comes, somebody goes."""

    def __init__(self, engine: Engine, customers: int, seed: int) -> None:
        self._engine = engine
        self._arrivals, self._services = random.Random(seed), random.Random(seed + 1)
        self._left = customers
        self._free = SERVERS
        self._line: deque[float] = deque()
        self.waited = 0.0
        self.come_next()

    def come_next(self) -> None:
        if self._left:
            self._left -= 1
            self._engine.at(self._engine.now + self._arrivals.expovariate(RHO * SERVERS), self._come)

    def _come(self, _: None) -> None:
        if self._free:
            self._free -= 1
            self._serve()
        else:
            self._line.append(self._engine.now)
        self.come_next()

    def _serve(self) -> None:
        self._engine.at(self._engine.now + self._services.expovariate(1.0), self._go)

    def _go(self, _: None) -> None:
        if self._line:
            self.waited += self._engine.now - self._line.popleft()
            self._serve()
        else:
            self._free += 1


def on_ours(customers: int, seed: int) -> float:
    engine = Engine()
    shop = Shop(engine, customers, seed)
    engine.run()
    return shop.waited / customers


def per_second(model: Callable[[int, int], float], customers: int, seed: int = 1) -> float:
    began = time.perf_counter()
    model(customers, seed)
    return customers / (time.perf_counter() - began)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    for name, system in (("SimPy", on_simpy), ("attacca", on_ours)):
        print(f"{name:8} {per_second(system, count):>12,.0f} customers/s   mean wait {system(count, 1):.4f}")
