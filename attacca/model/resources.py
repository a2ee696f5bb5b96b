"""What a sandbox holds of a worker: so much of each kind, added up and compared kind by kind.

A new kind is a new field here. A function asks for it by a setting of the same name, and a worker has it by one.
"""

from collections.abc import Iterable
from math import floor, inf
from operator import attrgetter, le
from typing import Any

import msgspec
from msgspec.structs import astuple, replace


class Resources(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Most hold memory alone, so each question is answered from it alone where nothing else is held."""

    memory_mb: int = 0
    cpus: float = 0.0
    gpu: float = 0.0
    disk_mb: float = 0.0
    gpu_memory_mb: float = 0.0

    def __add__(self, other: "Resources") -> "Resources":
        if _others(self) == NO_OTHERS == _others(other):
            return Resources(self.memory_mb + other.memory_mb)
        return _of(_exact(mine + its) for mine, its in _pairs(self, other))

    def __sub__(self, other: "Resources") -> "Resources":
        if _others(self) == NO_OTHERS == _others(other):
            return Resources(self.memory_mb - other.memory_mb)
        return _of(_exact(mine - its) for mine, its in _pairs(self, other))

    def __mul__(self, count: int) -> "Resources":
        return _of(_exact(each * count) for each in astuple(self))

    def fits(self, room: "Resources") -> bool:
        """It needs no more of any kind than there is."""
        if self.memory_mb > room.memory_mb:
            return False
        others = _others(self)
        return others == NO_OTHERS or all(map(le, others, _others(room)))

    def beyond(self, room: "Resources") -> "Resources":
        """What of it there is no room for; NOTHING when it fits."""
        if _others(self) == NO_OTHERS:
            return Resources(max(0, self.memory_mb - room.memory_mb))
        return _of(_exact(max(0, mine - its)) for mine, its in _pairs(self, room))

    def shares_a_kind(self, other: "Resources") -> bool:
        return bool(self.memory_mb and other.memory_mb) or any(mine and its for mine, its in _pairs(self, other))

    def memory_alone(self) -> "Resources":
        """What a template of it holds: it waits, and needs nothing to compute with."""
        return Resources(self.memory_mb)

    def without_devices(self) -> "Resources":
        return replace(self, gpu=0.0, gpu_memory_mb=0.0)

    def times_in(self, room: "Resources") -> int:
        """So many of it fit. There must be a kind that it needs and that the room bounds; where less than nothing is
        left, it is less than 0."""
        return min(floor(round(its / mine, 9)) for mine, its in _pairs(self, room) if mine > 0 and its != inf)

    def dominant_share(self, whole: "Resources") -> float:
        """The share of the whole that it has of the kind of which it has the largest."""
        shares = (mine / its if its else inf for mine, its in _pairs(self, whole) if mine)
        return max(shares, default=0.0)


KINDS = Resources.__struct_fields__
NOTHING = Resources()
NO_OTHERS = astuple(NOTHING)[1:]
_others = attrgetter(*KINDS[1:])
AROUND = Resources(memory_mb=128)  # what a virtual machine holds besides what its function may


def stated(source: object, unsaid: float = 0.0) -> Resources:
    """What its fields of the kinds' names say; `unsaid` is what it has of a kind that it does not name."""
    said = [getattr(source, kind, None) for kind in KINDS]
    return _of(unsaid if value is None else _exact(value) for value in said)


def total(parts: Iterable[Resources]) -> Resources:
    return sum(parts, NOTHING)


def largest(parts: Iterable[Resources]) -> Resources:
    """The most of each kind that any of them has."""
    return _of(max(of_kind) for of_kind in zip(*(astuple(part) for part in parts), strict=True))


def amount(kind: str, value: float) -> str:
    """As it is told to people."""
    return f"{value} MB" if kind == KINDS[0] else f"{value:g} {kind}"


def scarcest(lack: Resources) -> str:
    """What there is too little of, in a word: memory, unless it is another kind."""
    return next((kind for kind in KINDS if getattr(lack, kind)), KINDS[0]).removesuffix("_mb")


def _of(each: Iterable[Any]) -> Resources:
    return Resources(*each)


def _pairs(one: Resources, other: Resources) -> Iterable[tuple[float, float]]:
    return zip(astuple(one), astuple(other), strict=True)


def _exact(value: float) -> float:
    """Tenths of a core add up to a core, and what was added and taken away is nothing."""
    return round(value, 6)
