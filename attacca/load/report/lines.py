"""Configurations that differ in one number and, perhaps, in a policy: a line for each policy over that number."""

from collections.abc import Sequence

import msgspec

from attacca.load.report.groups import Group, differing, settings, word


class Line(msgspec.Struct, frozen=True):
    label: str
    points: list[tuple[float, Group]]  # ascending


class Lines(msgspec.Struct, frozen=True):
    key: str  # of the number, dotted
    lines: list[Line]

    def at(self) -> list[tuple[float, list[Group]]]:
        """For each value of the number, the configurations that have it, by the name of their line."""
        values = sorted({x for line in self.lines for x, _ in line.points})
        return [
            (value, [_named(group, line) for line in self.lines for x, group in line.points if x == value])
            for value in values
        ]


def _named(group: Group, line: Line) -> Group:
    return msgspec.structs.replace(group, label=line.label or group.label)


def lines_of(groups: Sequence[Group]) -> Lines | None:
    """None where no single number explains what they differ in, or nothing has three values of it."""
    keys = differing([group.first for group in groups])
    flats = [settings(group.first) for group in groups]
    numbers = [key for key in keys if all(_is_number(flat.get(key)) for flat in flats)]
    if len(numbers) != 1:
        return None
    key = numbers[0]
    found: dict[str, list[tuple[float, Group]]] = {}
    for group, flat in zip(groups, flats, strict=True):
        label = " ".join(word(other, flat[other]) for other in keys if other != key and other in flat)
        value = flat[key]
        assert isinstance(value, int | float)
        found.setdefault(label, []).append((float(value), group))
    if not any(len(points) >= 3 for points in found.values()):
        return None
    lines = [Line(label, sorted(points, key=lambda point: point[0])) for label, points in found.items()]
    return Lines(key, lines)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
