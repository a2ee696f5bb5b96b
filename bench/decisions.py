"""What a decision costs among 5,000 workers, against the same among 100; times are of the processor."""

import gc
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec

from attacca.kernel.rand import Streams
from attacca.model.machine import Machine
from attacca.model.resources import Resources
from attacca.model.sandbox import MachineLoad
from attacca.policy.balancing import BALANCING
from attacca.policy.balancing.types import Asked
from attacca.policy.balancing.types import begin as begin_balancer
from attacca.policy.placement import PLACEMENT
from attacca.policy.placement.types import Ask, Near, Placed
from attacca.policy.placement.types import begin as begin_placer
from bench.result import Result, Round

FEW, MANY = 100, 5000
WHOLE = Resources(16_384, 8.0, inf, inf)
SANDBOX = Resources(256, 0.125)
FILL = 0.7  # of the room of all of them is taken
HOLDERS = 20  # workers that have the function's code
BARS = {"random": 2.0, "round_robin": 2.0, "kubernetes": 10.0, "weighted_random": 2.0, "locality": 2.0}
BALANCED = {"random": 2.0, "round_robin": 2.0, "two_choices": 2.0, "least_loaded": 2.0}


class Both(msgspec.Struct):
    """A worker to both families: what is placed there is also what was sent there."""

    name: str
    capacity: Resources = WHOLE
    reserved: Resources = Resources()
    machine: Machine = Machine()
    is_cordoned: bool = False
    queued: int = 0
    running: int = 0
    waiting: int = 0
    limit: int = 64
    cores: int = 8
    heard_at: float = 0.0
    load: MachineLoad | None = None
    charted: float | None = None

    @property
    def free(self) -> Resources:
        return self.capacity - self.reserved

    def idle(self, function: str) -> int:
        return 0


def machines(count: int) -> list[Both]:
    return [Both(f"w{number:04}") for number in range(count)]


def placing(policy: str, count: int) -> Callable[[int], None]:
    """So many decisions in a row: each reserves, and as many go as come."""
    workers = machines(count)
    by_name = {worker.name: worker for worker in workers}
    placer = begin_placer(PLACEMENT[policy](), Streams(1).stream("placement"))
    placer.among(workers)
    near = {worker.name: Near.CODE for worker in workers[:: max(1, count // HOLDERS)]}
    ask = Ask("f", SANDBOX, near=near)
    there: deque[Both] = deque()

    def decide(decisions: int) -> None:
        for number in range(decisions):
            answer = placer.place(float(number), ask)
            if isinstance(answer, Placed):
                worker = by_name[answer.worker]
                worker.reserved += SANDBOX
                there.append(worker)
            if len(there) > most:
                worker = there.popleft()
                worker.reserved -= SANDBOX

    most = int(count * FILL * WHOLE.cpus / SANDBOX.cpus)
    for number, worker in enumerate(workers * (most // count)):  # as if they had come before
        worker.reserved += SANDBOX
        there.append(workers[(number * 7) % count] if count % 7 else worker)
    return decide


def balancing(policy: str, count: int) -> Callable[[int], None]:
    workers = machines(count)
    by_name = {worker.name: worker for worker in workers}
    balancer = begin_balancer(BALANCING[policy](), Streams(1).stream("balancing"))
    balancer.among(workers)
    eased = getattr(balancer, "eased", None)
    asked = Asked("f")
    running: deque[Both] = deque()

    def decide(decisions: int) -> None:
        for number in range(decisions):
            worker = by_name[balancer.pick(float(number), asked).worker]
            worker.running += 1
            running.append(worker)
            if len(running) > most:
                worker = running.popleft()
                worker.running -= 1
                if eased is not None:
                    eased(worker.name)

    most = int(count * FILL * 8)
    decide(most)
    return decide


def decisions(rounds: int, count: int) -> Iterator[Result]:
    """Time per decision: the processor's microseconds, among many and among few by turns."""
    families = (("placement", placing, BARS), ("balancing", balancing, BALANCED))
    for family, make, bars in families:
        for policy, bar in bars.items():
            few, many = make(policy, FEW), make(policy, MANY)
            found = []
            for _ in range(rounds):
                floor_us = spent_us(few, count)
                found.append(Round(spent_us(many, count), floor_us))
            yield Result(f"{family} {policy}: a decision among {MANY:,} workers", "us", f"among {FEW}", bar, found)


def spent_us(decide: Callable[[int], None], count: int) -> float:
    gc.collect()
    began = time.process_time()
    decide(count)
    return (time.process_time() - began) / count * 1e6


if __name__ == "__main__":
    for result in decisions(5, 2000):
        spread = f"{result.ratios[0]:.2f}-{result.ratios[-1]:.2f}"
        sys.stdout.write(f"{result.name}: {result.rounds[0].ours:.1f} us, {result.median:.2f} x ({spread})\n")
