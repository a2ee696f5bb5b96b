"""How far a simulation is from what was measured: per metric, with the interval that the samples allow."""

from collections.abc import Sequence
from typing import Final

import msgspec

from attacca.load.report.groups import Group, measured, quantile_distance
from attacca.load.report.metrics import METRICS, number
from attacca.load.report.tables import Table, with_interval
from attacca.load.statistics.samples import Interval, distance_bound, mean

COMPARED: Final = ("mean_ms", "p50_ms", "p99_ms", "cold_share", "sandboxes", "queued")
BARS: Final = {"mean_ms": 5.0, "p50_ms": 5.0, "p99_ms": 15.0, "cold_share": 2.0}  # percent of live; points of a share


class Gap(msgspec.Struct, frozen=True):
    metric: str
    live: Interval
    simulated: Interval
    gap: float  # percent of live, or points
    reach: float | None  # half of its interval
    unit: str
    spread: float | None = None  # of several live runs: from the least to the most, likewise

    @property
    def bar(self) -> float | None:
        return BARS.get(self.metric)

    @property
    def is_near(self) -> bool:
        """Within the bar, where there is one."""
        return self.bar is None or abs(self.gap) <= self.bar

    @property
    def verdict(self) -> str:
        """None where live runs are further from one another than a simulation may be from them."""
        if self.bar is None:
            return ""
        if self.spread is not None and self.spread > self.bar:
            return f"no verdict: live apart beyond {self.bar:g} {self.unit}"
        return f"{'within' if self.is_near else 'beyond'} {self.bar:g} {self.unit}"


def against_itself(live: Group) -> Table:
    """How far live runs of one seed are from one another, which is what the machine does to them."""
    rows = []
    for name in measured([live], COMPARED):
        values = live.values(name)
        middle, is_share = mean(values), METRICS[name].unit == "%"
        if not (is_share or middle):
            continue
        apart = 100 * (max(values) - min(values)) / (1.0 if is_share else middle)
        unit, bar = "points" if is_share else "%", BARS.get(name)
        word = "" if bar is None else "enough alike" if apart <= bar else f"further apart than the bar, {bar:g} {unit}"
        factor = 100.0 if is_share else 1.0
        each = " | ".join(number(value * factor) for value in values)
        rows.append(
            [METRICS[name].label, each, f"{apart:.1f} {unit}" if len(values) > 1 else "–", word * (len(values) > 1)]
        )
    note = "" if len(live.digests) > 1 else "one live run: nothing says how far live runs are apart here; --runs 3"
    return Table("live against live", ["", "each run", "apart", ""], rows, note)


def gaps(live: Group, simulated: Group) -> list[Gap]:
    differences = []
    for name in measured([live, simulated], COMPARED):
        left, right = live.metric(name), simulated.metric(name)
        if left is None or right is None:
            continue
        is_share = METRICS[name].unit == "%"
        if not is_share and not left.value:
            continue
        size = 1.0 if is_share else left.value
        reach = None
        if left.half is not None and right.half is not None:
            reach = 100 * float((left.half**2 + right.half**2) ** 0.5) / size
        unit, values = "points" if is_share else "%", live.values(name)
        spread = 100 * (max(values) - min(values)) / size if len(values) > 1 else None
        differences.append(Gap(name, left, right, 100 * (right.value - left.value) / size, reach, unit, spread))
    return differences


def validation(live: Group, simulated: Group, title: str = "") -> Table:
    rows = []
    for gap in gaps(live, simulated):
        both = [with_interval(gap.metric, value) for value in (gap.live, gap.simulated)]
        reach = "–" if gap.reach is None else f"± {gap.reach:.1f}"
        spread = "–" if gap.spread is None else f"{gap.spread:.1f} {gap.unit}"
        rows.append([METRICS[gap.metric].label, *both, f"{gap.gap:+.1f} {gap.unit}", reach, spread, gap.verdict])
    apart = mean_gap(live.first.series.sandboxes, simulated.first.series.sandboxes)
    if apart is not None:
        rows.append(["sandboxes over time", "", "", f"{100 * apart:.1f} %", "–", "–", "mean distance, of live's mean"])
    bound = distance_bound(max(live.samples(), 1), max(simulated.samples(), 1))
    distance = quantile_distance(live, simulated)
    rows.append(["KS distance", "", "", f"{distance:.3f}", "–", "–", f"{bound:.3f} by chance"])
    return Table(title, ["", "live", "simulated", "difference", "interval", "live apart", "bar"], rows)


def mean_gap(left: Sequence[float | None], right: Sequence[float | None]) -> float | None:
    """How far two lines are apart on average, as a share of the first one's mean."""
    both = [
        (first, second) for first, second in zip(left, right, strict=False) if first is not None and second is not None
    ]
    size = sum(first for first, _ in both)
    return sum(abs(first - second) for first, second in both) / size if size else None
