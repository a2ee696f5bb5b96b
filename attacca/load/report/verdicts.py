"""Who is better, and by how much, in sentences; where configurations differ in one number, over that number."""

from collections.abc import Iterator, Sequence

import msgspec

from attacca.load.report.groups import Group, differing, paired, settings, word
from attacca.load.report.metrics import METRICS, number
from attacca.load.statistics.samples import TOO_FEW


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
    by_label: dict[str, list[tuple[float, Group]]] = {}
    for group, flat in zip(groups, flats, strict=True):
        label = " ".join(word(other, flat[other]) for other in keys if other != key and other in flat)
        value = flat[key]
        assert isinstance(value, int | float)
        by_label.setdefault(label, []).append((float(value), group))
    if not any(len(points) >= 3 for points in by_label.values()):
        return None
    lines = [Line(label, sorted(points, key=lambda point: point[0])) for label, points in by_label.items()]
    return Lines(key, lines)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def verdicts(groups: Sequence[Group], names: Sequence[str]) -> Iterator[str]:
    """One sentence for each metric, and for each value of a number that is varied: the best, and what is told apart."""
    swept = lines_of(groups)
    places = [("", list(groups))]
    if swept is not None and len(swept.lines) > 1:
        key = swept.key.rpartition(".")[2]
        places = [(f" at {key} {value:g}", some) for value, some in swept.at()]
    for name in names:
        for place, some in places:
            known = [group for group in some if group.values(name)]
            if len(known) > 1:
                yield f"{METRICS[name].label}{place}: {_verdict(known, name)}"


def _verdict(groups: Sequence[Group], name: str) -> str:
    sign = 1.0 if METRICS[name].is_better_small else -1.0
    ranked = sorted(groups, key=lambda group: sign * sum(group.values(name)) / len(group.values(name)))
    best, apart, same = ranked[0], [], []
    for other in ranked[1:]:
        pair = paired(best, other, name)
        if pair is None or pair.difference.note:
            return f"{best.label} looks best, but {TOO_FEW} of seeds in common to tell"
        if not pair.difference.is_sure:
            same.append(other.label)
            continue
        apart.append(f"{_much(pair.ratio.value, pair.ratio.low, pair.ratio.high)} than {other.label}")
    if not apart:
        return f"no difference shown between {', '.join(group.label for group in ranked)}"
    less = "less" if METRICS[name].is_better_small else "more"
    rest = f"; not told apart from {', '.join(same)}" if same else ""
    return f"{best.label} is best: {less} by {', '.join(apart)}{rest}"


def _much(ratio: float, low: float | None, high: float | None) -> str:
    """A ratio other / best as how much smaller the best is: 1.25 is 20 % less than the other."""
    if not ratio > 0:
        return "all"
    middle = number(abs(100 * (1 - 1 / ratio)))
    if not low or not high or low <= 0:
        return f"{middle} %"
    ends = sorted(100 * (1 - 1 / end) for end in (low, high))
    if ends[-1] <= 0:
        ends = sorted(-end for end in ends)
    return f"{middle} % ({number(ends[0])} … {number(ends[1])})"
