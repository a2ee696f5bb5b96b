"""One measure's outcome: rounds of ours against a floor, and the bar."""

import statistics
from typing import NamedTuple


class Round(NamedTuple):
    ours: float
    floor: float

    @property
    def ratio(self) -> float:
        return self.ours / self.floor


class Result(NamedTuple):
    """`bar` is the largest ratio that is good enough, or the smallest with `at_least`. Without a floor it is `ours`."""

    name: str
    unit: str
    floor_name: str
    bar: float
    rounds: list[Round]
    at_least: bool = False

    @property
    def ratios(self) -> list[float]:
        return sorted(one.ratio for one in self.rounds)

    @property
    def median(self) -> float:
        return statistics.median(self.ratios)

    @property
    def is_met(self) -> bool:
        return self.median >= self.bar if self.at_least else self.median <= self.bar
