"""Loads over time, and a cluster that does at once whatever it is told."""

from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

from attacca.policy.scaling.types import Demand, Scaled, Scaler, decide
from tests.drawing import several

STORIES = several(list(product((0.25, 0.5, 1.0, 3.0, 40.0, 200.0), range(6))), max_size=8)  # (seconds later, load)


class Load(NamedTuple):
    after_s: float
    load: int


class Cluster:
    """One function: what a scaler wants is there. `load` invocations are under way; whoever finds no slot waits."""

    def __init__(self, scaler: Scaler, *, concurrency: int = 1, least: int = 0, most: int | None = None) -> None:
        self.scaler = scaler
        self.concurrency, self.least, self.most = concurrency, least, most
        self.now = 0.0
        self.ready = self.arrivals = self.load = 0
        self.answers: list[tuple[float, int]] = []
        self.again_at: float | None = None

    def demand(self) -> Demand:
        running = min(self.load, self.ready * self.concurrency)
        return Demand(
            running=running,
            waiting=self.load - running,
            arrivals=self.arrivals,
            ready=self.ready,
            concurrency=self.concurrency,
            exec_s=0.5,
            least=self.least,
            most=self.most,
        )

    def ask(self) -> Scaled:
        scaled = decide(self.scaler, self.now, self.demand())
        self.ready, self.again_at = scaled.wanted, scaled.again_at
        self.answers.append((self.now, scaled.wanted))
        return scaled

    def until(self, at: float) -> None:
        """Asked whenever the scaler wants to be."""
        while self.again_at is not None and self.again_at <= at:
            self.now = self.again_at
            self.ask()
        self.now = at

    def play(self, story: Iterable[tuple[float, int]]) -> "Cluster":
        for after_s, load in story:
            self.until(self.now + after_s)
            self.arrivals += max(0, load - self.load)
            self.load = load
            self.ask()
        return self

    def settle(self, for_s: float = 130.0) -> int:
        """What is wanted when nothing has changed for so long."""
        self.until(self.now + for_s)
        return self.ready


def integral(steps: list[tuple[float, float]], since: float, until: float) -> float:
    """Of a quantity that has each value from its moment on."""
    total, end = 0.0, until
    for at, value in reversed(steps):
        total += max(0.0, end - max(at, since)) * value
        if at <= since:
            break
        end = min(at, until)
    return total
