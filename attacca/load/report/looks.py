"""Which colour, dash and marker a configuration has, and where it stands: the same for a policy in every figure of
every command, whoever it is compared with and in whatever order they were given.
"""

import zlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from attacca.load.report import style
from attacca.load.report.groups import Group, differing, settings
from attacca.policy.balancing import BALANCING
from attacca.policy.concurrency import CONCURRENCY
from attacca.policy.dispatch import DISPATCH
from attacca.policy.keepalive import BOUNDS, KEEPALIVE
from attacca.policy.placement import PLACEMENT
from attacca.policy.queueing import QUEUEING
from attacca.policy.scaling import SCALING
from attacca.policy.slots import SLOTS

PLACES: Final = {  # by the key of the choice: its policies, in the order in which they are drawn
    "system.keepalive.policy": list(KEEPALIVE | BOUNDS),
    "system.queueing.policy": list(QUEUEING),
    "system.concurrency.policy": list(CONCURRENCY),
    "system.balancing.policy": list(BALANCING),
    "system.slots.policy": list(SLOTS),
    "system.scaling.policy": list(SCALING),
    "system.placement.policy": list(PLACEMENT),
    "system.device_queueing.policy": list(QUEUEING),
    "system.dispatch.policy": list(DISPATCH),
}


class Look(msgspec.Struct, frozen=True):
    place: int  # of the colour
    pattern: int  # of dash and marker: the same, but for a second one of the same policy

    @property
    def colour(self) -> str:
        return style.colour(self.place)

    @property
    def line(self) -> dict[str, Any]:
        return {"color": self.colour, "linestyle": style.dash(self.pattern)}

    @property
    def marker(self) -> str:
        return style.marker(self.pattern)


def in_order(groups: Sequence[Group]) -> list[Group]:
    """Policies as they are listed, one's own after them by name; what differs in something else as it was given."""
    key = _varied(groups)
    if key is None:
        return list(groups)
    names = _names(groups, key)
    return sorted(groups, key=lambda group: names.index(_policy(group, key)))


def looks(groups: Sequence[Group]) -> dict[str, Look]:
    """By label."""
    key = _varied(groups)
    if key is None:
        return {group.label: Look(place, place) for place, group in enumerate(groups)}
    places = _places(_names(groups, key), PLACES[key])
    free = [pattern for pattern in range(len(style.DASHES)) if pattern not in places.values()]
    by_label: dict[str, Look] = {}
    for group in sorted(groups, key=lambda group: group.label):
        place = places[_policy(group, key)]
        before = sum(look.place == place for look in by_label.values())
        pattern = place if not before else free.pop(0) if free else place + before
        by_label[group.label] = Look(place, pattern)
    return by_label


def _varied(groups: Sequence[Group]) -> str | None:
    """The family of policies in which they differ; of several the first."""
    differ = differing([group.first for group in groups])
    return next((key for key in PLACES if key in differ), None)


def _policy(group: Group, key: str) -> str:
    return str(settings(group.first).get(key))


def _names(groups: Sequence[Group], key: str) -> list[str]:
    there = {_policy(group, key) for group in groups}
    return [name for name in PLACES[key] if name in there] + sorted(there - set(PLACES[key]))


def _places(names: Sequence[str], known: Sequence[str]) -> dict[str, int]:
    """One's own policy has a colour that none of the known ones has: which of them follows from its name, unless
    another of one's own has it."""
    places = {name: known.index(name) for name in names if name in known}
    free = list(range(len(known), max(len(style.COLOURS), len(known) + 1)))
    for name in names:
        if name not in places:
            first = zlib.crc32(name.encode()) % len(free)
            turns = free[first:] + free[:first]
            places[name] = next((place for place in turns if place not in places.values()), turns[0])
    return places
