"""What counters of energy say: which of them to add up, and how much more they have counted than the time before.

A counter of RAPL has 32 bits and begins anew after minutes. Each package is counted once, whatever number of processors
tells of it, and what lies within a package is in it already.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

PLAUSIBLE_W = 5_000.0  # of one counter: what would be more has begun anew, not gone once around
PACKAGE = re.compile(r"package-(\d+)(-die-\d+)?")
MEMORY = "dram"
PLATFORM = "psys"  # with everything on the board


class Zone(NamedTuple):
    """One counter. `key`: the name of its directory, as intel-rapl:0:1; `name`: what it counts; `range_uj`: after so
    many it begins anew."""

    key: str
    name: str
    range_uj: int

    @property
    def driver(self) -> str:
        return self.key.partition(":")[0]

    @property
    def parent(self) -> str:
        return self.key.rpartition(":")[0] if self.key.count(":") > 1 else ""


def counted(zones: Iterable[Zone]) -> list[Zone]:
    """Those whose sum is what processors and memory take, each once: packages, and memory beside them. Where no package
    is told of, the board as a whole.

    A package that two drivers tell of (intel-rapl, intel-rapl-mmio) is taken from the first of them by name.
    """
    found: dict[str, Zone] = {}
    parents: dict[str, str] = {}
    every = sorted(zones, key=lambda zone: (zone.driver, zone.key))
    for zone in every:
        if not zone.parent and PACKAGE.fullmatch(zone.name) and zone.name not in found:
            found[zone.name] = zone
            parents[zone.key] = zone.name
    for zone in every:
        if zone.name == MEMORY and (package := parents.get(zone.parent)) is not None:
            found.setdefault(f"{package}/{MEMORY}", zone)
    boards = [zone for zone in every if zone.name == PLATFORM and not zone.parent]
    if not found and boards:
        return boards[:1]
    return [found[name] for name in sorted(found)]


def more_uj(before: int, now: int, range_uj: int, seconds: float) -> int:
    """Since the time before. A counter that is behind has gone around once; if that were more than anything can take in
    these seconds, it was set back, and what it counted before that is lost."""
    if now >= before:
        return now - before if plausible(now - before, seconds) else 0
    around = now + range_uj - before
    return around if range_uj > 0 and around >= 0 and plausible(around, seconds) else 0


def plausible(more_of_uj: int, seconds: float) -> bool:
    return more_of_uj <= PLAUSIBLE_W * 1e6 * max(seconds, 1e-3)


class Sum:
    """Counters that go around, as one that does not."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[float, int]] = {}  # by key: when, and what it said
        self.total_uj: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Sum of {len(self.total_uj)} counters, {self.joules:g} J>"

    @property
    def joules(self) -> float:
        return sum(self.total_uj.values()) / 1e6

    def take(self, at: float, said: Mapping[Zone, int]) -> None:
        """One that said nothing this time is compared with what it said last when it speaks again."""
        for zone, now in said.items():
            then, before = self._before.get(zone.key, (at, now))
            self.total_uj[zone.key] = self.total_uj.get(zone.key, 0) + more_uj(before, now, zone.range_uj, at - then)
            self._before[zone.key] = at, now
