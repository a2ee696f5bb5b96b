"""The published policy in the simulator, against a pool that does the same by brute force."""

from collections import deque
from heapq import heappop, heappush
from typing import NamedTuple

import msgspec
import pytest

from attacca.load.workload.scenario import Choice, Distribution, FunctionPlan, Scenario, Shape
from attacca.load.workload.schedule import Schedule
from tests.sim.play import play_quick, scenario

FUNCTIONS = 40
WITHIN = 0.005


class Cost(NamedTuple):
    memory_mb: int
    cold_s: float


class Container:
    def __init__(self, function: int, now: float) -> None:
        self.function = function
        self.uses = 0
        self.priority = 0.0
        self.is_ready = self.is_running = False
        self.idle_since = now


class Pool:
    """FaasCache's rule, worked out anew at every step. Who waits for a start takes what is free first."""

    def __init__(self, costs: list[Cost], memory_mb: int) -> None:
        self.costs, self.memory_mb = costs, memory_mb
        self.clock = 0.0
        self.there: list[Container] = []
        self.pending: dict[int, deque[float]] = {place: deque() for place in range(len(costs))}
        self.ends: list[tuple[float, int, Container]] = []
        self.cold = self.count = 0

    def of(self, function: int) -> list[Container]:
        return [one for one in self.there if one.function == function]

    def reckon(self, function: int) -> None:
        cost = self.costs[function]
        uses = sum(one.uses for one in self.of(function)) + len(self.pending[function])
        for one in self.of(function):
            one.priority = self.clock + uses * cost.cold_s / cost.memory_mb

    def arrive(self, now: float, function: int, seconds: float) -> None:
        resting = [one for one in self.of(function) if one.is_ready and not one.is_running]
        if resting:
            self.run(now, max(resting, key=lambda one: one.idle_since), seconds)
            self.reckon(function)
            return
        if len(self.pending[function]) >= sum(not one.is_ready for one in self.of(function)):
            self.make_room(self.costs[function].memory_mb)
            made = Container(function, now)
            self.there.append(made)
            self.later(now + self.costs[function].cold_s, made)
        self.pending[function].append(seconds)
        self.reckon(function)

    def make_room(self, asked_mb: int) -> None:
        while sum(self.costs[one.function].memory_mb for one in self.there) + asked_mb > self.memory_mb:
            resting = [one for one in self.there if one.is_ready and not one.is_running]
            first = min(resting, key=lambda one: (one.priority, one.idle_since))
            self.there.remove(first)
            self.clock = first.priority

    def run(self, now: float, one: Container, seconds: float) -> None:
        self.cold += not one.uses
        one.uses += 1
        one.is_running = True
        self.later(now + seconds, one)

    def later(self, at: float, one: Container) -> None:
        self.count += 1
        heappush(self.ends, (at, self.count, one))

    def go_on(self, until: float) -> None:
        while self.ends and self.ends[0][0] <= until:
            now, _, one = heappop(self.ends)
            one.is_ready, one.is_running, one.idle_since = True, False, now
            if self.pending[one.function]:
                self.run(now, one, self.pending[one.function].popleft())


def drawn(memory_mb: int, seed: int) -> tuple[Scenario, list[Cost]]:
    costs = [
        Cost(32 * (1 + 5 * place % 7) + place, 0.05 * (1 + 3 * place % 11) + 0.003 * place)
        for place in range(FUNCTIONS)
    ]
    functions = [
        FunctionPlan(
            name=f"f{place}",
            memory_mb=cost.memory_mb,
            duration=Distribution(kind="exponential", mean_ms=50.0),
            cold=Distribution(mean_ms=cost.cold_s * 1e3),
            shape=Shape(rate=2.0 / (place + 1)),
        )
        for place, cost in enumerate(costs)
    ]
    one = scenario(*functions, length_s=600.0, seed=seed, memory_mb=memory_mb, limit=10_000)
    chosen = msgspec.structs.replace(one.system, keepalive=Choice(policy="greedy_dual"))
    return msgspec.structs.replace(one, system=chosen), costs


@pytest.mark.parametrize("memory_mb", [2500, 3200, 4000])
def test_as_often_cold_as_by_brute_force(memory_mb: int) -> None:
    one, costs = drawn(memory_mb, seed=memory_mb)
    pool, count = Pool(costs, memory_mb), 0
    for due in Schedule(one):
        pool.go_on(due.due_s)
        pool.arrive(due.due_s, due.function, due.duration_ms / 1e3)
        count += 1
    pool.go_on(1e9)
    found = play_quick(one).totals
    assert found.invocations == count
    assert 0.05 < pool.cold / count < 0.6, "there is something to tell apart"
    assert found.cold_share == pytest.approx(pool.cold / count, abs=WITHIN)
    ever = msgspec.structs.replace(one.system, keepalive=Choice(policy="greedy_dual", options={"frequency": "ever"}))
    other = play_quick(msgspec.structs.replace(one, system=ever)).totals.cold_share
    assert abs(other - pool.cold / count) > WITHIN
