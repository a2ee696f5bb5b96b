"""What multi-queue fair queueing would take before one that comes now: its choices played in advance."""

from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Final

STEPS: Final = 512  # that are played; the rest counts whole


class Line:
    """A flow as it is now: `services` of those that wait, in seconds, each with the number of its push, the oldest
    first; `newcomer_s` of one that comes now, behind them; 0: none does."""

    __slots__ = ("function", "in_flight", "newcomer_s", "served_at", "services", "start", "weight", "work_s")

    def __init__(
        self,
        function: str,
        start: float,
        weight: float,
        services: Iterable[tuple[int, float]],
        in_flight: int,
        served_at: float,
    ) -> None:
        self.function, self.start, self.weight = function, start, weight
        self.services = deque(services)
        self.work_s = sum(service_s for _, service_s in self.services)
        self.in_flight, self.served_at, self.newcomer_s = in_flight, served_at, 0.0

    def __repr__(self) -> str:
        return f"<Line of {self.function}: {len(self.services)} waiting, {self.work_s:g} s, starts at {self.start:g}>"

    @property
    def rank(self) -> tuple[float, float]:
        return self.start, self.services[0][0] if self.services else inf

    @property
    def count(self) -> int:
        return len(self.services) + (self.newcomer_s > 0)

    def take(self) -> float:
        _, service_s = self.services.popleft()
        self.work_s -= service_s
        self.start += service_s / self.weight
        self.in_flight += 1
        return service_s


def key(pick: str, start: float, count: int, work_s: float, in_flight: int, served_at: float) -> tuple[float, float]:
    """The flow with the smallest is next. `work_s`: F - S. What goes by chance goes by the start here."""
    match pick:
        case "longest":
            return -count, 0.0
        case "waited":
            return -work_s, 0.0
        case "finish":
            return -start - work_s, 0.0
        case "fewest":
            return in_flight, 0.0
        case "stale":
            return served_at, 0.0
        case "longest_fewest":
            return -count, in_flight
        case _:
            return start, 0.0


def replayed(lines: list[Line], own: Line, pick: str, overrun_s: float, last: str) -> float:
    """Seconds of execution that pass, one after the other, before the newcomer of `own` is taken, which is one of the
    lines. `last`: the function that was served last."""
    passed_s, latest = 0.0, max(line.served_at for line in lines)
    for step in range(STEPS):
        there = sorted((line for line in lines if line.count), key=_rank)
        able = [line for line in there if line.start - there[0].start <= overrun_s]
        stuck_to = [line for line in able if pick == "sticky" and line.function == last]
        keys = [_key(pick, line) for line in able]
        chosen = stuck_to[0] if stuck_to else able[keys.index(min(keys))]
        if chosen is own and not chosen.services:
            return passed_s
        passed_s += chosen.take()
        chosen.served_at = latest + step + 1.0
        last = chosen.function
    return passed_s + sum(line.work_s for line in lines)


def _rank(line: Line) -> tuple[float, float]:
    return line.rank


def _key(pick: str, line: Line) -> tuple[float, float]:
    work_s = (line.work_s + line.newcomer_s) / line.weight
    return key(pick, line.start, line.count, work_s, line.in_flight, line.served_at)
