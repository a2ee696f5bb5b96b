"""Runs that differ only in their seed are one configuration; its numbers come with an interval over the seeds."""

import itertools
import math
from collections.abc import Iterable, Sequence

import msgspec

from attacca.load.report.digest import SHARES, Digest
from attacca.load.report.metrics import METRICS
from attacca.load.statistics.pairs import Paired, compare
from attacca.load.statistics.samples import Interval, mean, mean_interval
from attacca.load.statistics.within import ONE_RUN

CLIENTS = "workload.clients.count"  # where it is all that differs, throughput may stand still: the load does not
NOT_SETTINGS = ("seed", "about", "name", "record")  # of a scenario: they change nothing of what is run


class Group(msgspec.Struct, frozen=True):
    label: str
    kind: str
    digests: list[Digest]  # by seed
    is_base: bool = False  # the others are compared with it

    @property
    def seeds(self) -> list[int]:
        return [digest.info.seed for digest in self.digests]

    @property
    def first(self) -> Digest:
        return self.digests[0]

    def values(self, metric: str) -> list[float]:
        return [digest.metrics[metric] for digest in self.digests if metric in digest.metrics]

    def metric(self, name: str) -> Interval | None:
        """Over seeds where there are some; within the only run else; None where it was not measured."""
        values = self.values(name)
        if not values:
            return None
        if len(values) > 1:
            return mean_interval(values)
        return self.first.intervals.get(name) or Interval(values[0], None, None, 1, ONE_RUN)

    def quantiles(self) -> tuple[list[float], list[float], list[float]]:
        """Of response at SHARES: least, mean and most over the seeds."""
        columns = list(zip(*(digest.quantiles for digest in self.digests if digest.quantiles), strict=True))
        least, most = [min(column) for column in columns], [max(column) for column in columns]
        return least, [mean(column) for column in columns], most

    def samples(self) -> int:
        """Good answers in the smallest of its runs: what a tail can be read off."""
        return min(_answers(digest) for digest in self.digests)

    def slowdowns(self) -> dict[str, float]:
        """Each function's geometric mean, over all seeds in which it was called."""
        logs: dict[str, list[float]] = {}
        for digest in self.digests:
            for function in digest.functions:
                if function.slowdown is not None:
                    logs.setdefault(function.name, []).append(math.log(function.slowdown))
        return {name: math.exp(mean(values)) for name, values in sorted(logs.items())}

    def cold_shares(self) -> dict[str, float]:
        """Of each application's invocations over all seeds, those that were cold."""
        cold: dict[str, list[float]] = {}
        for digest in self.digests:
            for application in digest.applications:
                counts = cold.setdefault(application.name, [0.0, 0.0])
                counts[0] += application.cold_share * application.invocations
                counts[1] += application.invocations
        return {name: hits / many for name, (hits, many) in sorted(cold.items())}

    def slowdowns_of_applications(self) -> dict[str, float]:
        """Each application's geometric mean, over all seeds in which it was called."""
        logs: dict[str, list[float]] = {}
        for digest in self.digests:
            for application in digest.applications:
                if application.slowdown is not None:
                    logs.setdefault(application.name, []).append(math.log(application.slowdown))
        return {name: math.exp(mean(values)) for name, values in sorted(logs.items())}


def _answers(digest: Digest) -> int:
    return sum(function.invocations - function.errors for function in digest.functions)


def grouped(digests: Iterable[Digest]) -> list[Group]:
    """In the order of first sight."""
    by_label: dict[str, list[Digest]] = {}
    for digest in digests:
        key = msgspec.json.encode([digest.info.kind, sorted(settings(digest).items())]).decode()
        by_label.setdefault(key, []).append(digest)
    groups = [sorted(_newest(group), key=lambda digest: digest.info.seed) for group in by_label.values()]
    labels = _labels([group[0] for group in groups])
    return [Group(label, group[0].info.kind, group) for label, group in zip(labels, groups, strict=True)]


def settings(digest: Digest) -> dict[str, object]:
    """The scenario as dotted keys."""
    flat: dict[str, object] = {}
    _flatten("", {key: value for key, value in digest.info.scenario.items() if key not in NOT_SETTINGS}, flat)
    return flat


def _flatten(prefix: str, value: object, into: dict[str, object]) -> None:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            _flatten(f"{prefix}{key}.", inner, into)
    elif isinstance(value, list | tuple) and value:
        for index, inner in enumerate(value):
            _flatten(f"{prefix}{index}.", inner, into)
    elif not isinstance(value, dict | list | tuple):
        into[prefix.rstrip(".")] = value


def _newest(group: Sequence[Digest]) -> list[Digest]:
    """A simulation of one seed that was run twice is the same run, or of older code: the newer counts. A live run that
    was repeated is another measurement."""
    kept: dict[object, Digest] = {}
    for place, digest in enumerate(group):
        key = digest.info.seed if digest.info.kind == "simulated" else (place,)
        if key not in kept or digest.info.started_at >= kept[key].info.started_at:
            kept[key] = digest
    return list(kept.values())


def seeds_for(groups: Sequence[Group], metric: str, within: float) -> int:
    """How many seeds it takes until half of each one's interval is at most the share `within` of its mean, judging by
    those there are; no more than these where that is so already. Intervals shrink with the root of their number."""
    most = 0
    for group in groups:
        interval = group.metric(metric)
        if interval is None:
            continue
        count = len(group.digests)
        half = math.inf if interval.half is None or count < 2 else interval.half
        room = within * abs(interval.value)
        if half <= room:
            most = max(most, count)
        elif not 0.0 < room < math.inf or math.isinf(half):
            most = max(most, 2 * count)
        else:
            most = max(most, count + 1, math.ceil(count * (half / room) ** 2))
    return most


def differing(firsts: Sequence[Digest]) -> list[str]:
    """The settings in which they differ."""
    flats = [settings(digest) for digest in firsts]
    keys = dict.fromkeys(key for flat in flats for key in flat)
    return [key for key in keys if len({repr(flat.get(key)) for flat in flats}) > 1]


def _labels(firsts: Sequence[Digest]) -> list[str]:
    """What tells each from the others: the settings that differ; the names where too many do."""
    if len(firsts) == 1:
        return [firsts[0].info.name]
    differ = differing(firsts)
    kinds = len({digest.info.kind for digest in firsts}) > 1
    is_by_name = len(differ) > 4 and len({digest.info.name for digest in firsts}) == len(firsts)
    labels = []
    for digest in firsts:
        flat = settings(digest)
        words = [digest.info.name] if is_by_name else [word(key, flat[key]) for key in differ[:4] if key in flat]
        labels.append(" ".join([*words, *([digest.info.kind] if kinds else [])]) or digest.info.name)
    repeats = {label for label in labels if labels.count(label) > 1}
    return [f"{label} ({index + 1})" if label in repeats else label for index, label in enumerate(labels)]


def word(key: str, value: object) -> str:
    parts = key.split(".")
    if parts[-1] == "policy" or (isinstance(value, str) and value and not key.endswith("path")):
        return str(value)
    return f"{parts[-1]}={value:g}" if isinstance(value, float) else f"{parts[-1]}={value}"


def paired(base: Group, other: Group, metric: str) -> Paired | None:
    """Seed by seed, those that both have; None where they share none or did not measure it."""
    left = {digest.info.seed: digest.metrics.get(metric) for digest in base.digests}
    right = {digest.info.seed: digest.metrics.get(metric) for digest in other.digests}
    pairs = [(left[seed], right[seed]) for seed in left if seed in right]
    both = [(before, after) for before, after in pairs if before is not None and after is not None]
    return compare([before for before, _ in both], [after for _, after in both]) if both else None


def twins(groups: Sequence[Group]) -> list[tuple[Group, Group]]:
    """A live configuration and the simulated one of the same scenario."""
    return [
        (live, simulated)
        for live in groups
        for simulated in groups
        if (live.kind, simulated.kind) == ("live", "simulated") and settings(live.first) == settings(simulated.first)
    ]


def quantile_distance(left: Group, right: Group) -> float:
    """Kolmogorov and Smirnov's distance, read off the kept quantiles: exact to a thousandth."""
    lefts, rights = left.quantiles()[1], right.quantiles()[1]
    if not lefts or not rights:
        return math.nan
    gaps = [abs(share - share_below(rights, value)) for share, value in zip(SHARES, lefts, strict=True)]
    gaps += [abs(share - share_below(lefts, value)) for share, value in zip(SHARES, rights, strict=True)]
    return max(gaps)


def share_below(quantiles: Sequence[float], value: float) -> float:
    """Which share of a distribution is at most this."""
    low, high = 0, len(quantiles)
    while low < high:
        middle = (low + high) // 2
        if quantiles[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return SHARES[low - 1] if low else 0.0


def measured(groups: Sequence[Group], names: Iterable[str] = METRICS) -> list[str]:
    """Of these metrics, those that some group has."""
    return [name for name in names if any(group.values(name) for group in groups)]


def is_swept(groups: Sequence[Group]) -> bool:
    """Whether the load itself differs between at least three configurations."""
    if len(groups) >= 3 and differing([group.first for group in groups]) == [CLIENTS]:
        return True
    rates = sorted(offered for group in groups if not math.isnan(offered := rate(group)))
    return len(rates) >= 3 and all(after > before * 1.05 for before, after in itertools.pairwise(rates))


def load(group: Group) -> float:
    """How much is asked for: by so many clients that wait for their answers, or at the rate at which answers come."""
    clients = settings(group.first).get(CLIENTS)
    return float(clients) if isinstance(clients, int) else rate(group)


def rate(group: Group) -> float:
    interval = group.metric("throughput")
    return interval.value if interval is not None else math.nan
