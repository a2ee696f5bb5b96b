"""Figures of time: the platform over the run, where invocations spent it, and one policy against another."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from attacca.load.report import style
from attacca.load.report.digest import PART_NAMES, PARTS, Bar, Series
from attacca.load.report.groups import Group, paired
from attacca.load.report.looks import looks
from attacca.load.report.metrics import METRICS, span


def over_time(groups: Sequence[Group]) -> Figure:
    """Arrivals, sandboxes and queue of each configuration's first seed."""
    drawn, look = style.figure(4.4 if style.is_narrow() else 5.2), looks(groups)
    rows: Sequence[Axes] = drawn.subplots(3, 1, sharex=True)
    longest = max((group.first.series.t[-1] for group in groups if group.first.series.t), default=1.0)
    size, unit = (60.0, "minutes") if longest > 300 else (1.0, "seconds")
    is_alone = len(groups) == 1
    for index, group in enumerate(groups):
        over, mine = group.first.series, look[group.label].line
        t = [moment / size for moment in over.t]
        if index == 0 or not _is_alike(over, groups[0].first.series):
            rows[0].plot(t, over.arrivals, linewidth=1.1, **mine)
        rows[1].plot(*_there(t, over.sandboxes), linewidth=1.3, label="all" if is_alone else group.label, **mine)
        if is_alone:
            rows[1].fill_between(t, _numbers(over.busy), color=style.colour(2), alpha=0.45, linewidth=0, label="busy")
        rows[2].plot(*_there(t, over.queued), linewidth=1.1, **mine)
    begin = _measured_from(groups[0])
    for axes, title in zip(rows, ("arrivals a second", "sandboxes", "queue"), strict=True):
        axes.set_title(title)
        axes.set_ylim(bottom=0.0)
        if begin > 0:
            axes.axvspan(0.0, begin / size, color=style.GRID, alpha=0.6, linewidth=0, zorder=0)
    rows[0].set_xlim(0.0, longest / size)
    rows[2].set_xlabel(f"{unit} since the run began" + ("; shaded: warm-up" if begin > 0 else ""))
    style.key(drawn, *rows[1].get_legend_handles_labels())
    return drawn


def _is_alike(left: Series, right: Series) -> bool:
    return left.arrivals == right.arrivals


def _there(t: Sequence[float], values: Sequence[float | None]) -> tuple[list[float], list[float]]:
    """Without the moments of which nothing is known: a line goes on over them."""
    seen = [(moment, value) for moment, value in zip(t, values, strict=True) if value is not None]
    return [moment for moment, _ in seen], [value for _, value in seen]


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]


def _measured_from(group: Group) -> float:
    workload = group.first.info.scenario.get("workload")
    begin = workload.get("warmup_s", 0.0) if isinstance(workload, dict) else 0.0
    return float(begin) if group.first.phases.get("warmup") else 0.0


def split(groups: Sequence[Group]) -> Figure:
    """The mean of each kind of start, part by part."""
    bars = [(group, bar) for group in groups for bar in group.first.split]
    drawn = style.figure(1.1 + 0.36 * len(bars))
    axes = drawn.subplots()
    labels = [f"{bar.label} · {group.label}" if len(groups) > 1 else bar.label for group, bar in bars]
    stack(axes, [bar for _, bar in bars], labels)
    axes.set_xlabel("mean time of an invocation")
    part_legend(drawn, [bar for _, bar in bars])
    return drawn


def stack(axes: Axes, bars: Sequence[Bar], labels: Sequence[str]) -> None:
    most = max((bar.total_s for bar in bars), default=1.0) or 1.0
    for row, bar in enumerate(bars):
        left = 0.0
        for part, value in zip(PARTS, bar.parts, strict=True):
            if value > 0:
                axes.barh(row, value, left=left, height=0.62, color=style.PARTS[part], linewidth=0)
                left += value
        axes.annotate(
            span(bar.total_s), (left, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8,
            color=style.SOFT,
        )  # fmt: skip
    axes.set_yticks(range(len(bars)), labels)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0.0, most * (1.25 if style.is_narrow() else 1.14))
    axes.xaxis.set_major_locator(MaxNLocator(2 if style.is_narrow() else 6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.short_span(value)))


def _short(label: str) -> str:
    """A long name of a function leaves no room in a column."""
    name, mark, rest = label.partition(" #")
    return f"{name[:8]}{'…' * (len(name) > 8)}{mark}{rest}"


def part_legend(drawn: Figure, bars: Sequence[Bar]) -> None:
    """Only the parts that can be seen."""
    most = max((bar.total_s for bar in bars), default=0.0)
    seen = [part for index, part in enumerate(PARTS) if any(bar.parts[index] > 0.002 * most for bar in bars)]
    patches = [Patch(color=style.PARTS[part], label=PART_NAMES[part]) for part in seen]
    style.key(drawn, patches, [PART_NAMES[part] for part in seen])


def gantt(group: Group) -> Figure:
    """Single invocations from the moment they were due, each group of them at its own scale."""
    panels = group.first.gantt
    drawn = style.figure(0.8 + 1.5 * len(panels))
    rows = drawn.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axes, panel in zip(rows, panels, strict=True):
        stack(axes, panel.bars, [_short(bar.label) if style.is_narrow() else bar.label for bar in panel.bars])
        axes.set_title(panel.title.removeprefix("around the ") if style.is_narrow() else panel.title)
    rows[-1].set_xlabel("since it was due")
    part_legend(drawn, [bar for panel in panels for bar in panel.bars])
    return drawn


def comparison(groups: Sequence[Group], names: Sequence[str]) -> Figure:
    """Each metric of each configuration as a ratio to the first, with its interval over the seeds."""
    columns = style.beside(min(len(names), 3))
    lines = -(-len(names) // columns)
    drawn = style.figure(lines * (0.75 + 0.27 * len(groups)) + 0.2)
    panels = drawn.subplots(lines, columns, squeeze=False, sharey=True)
    for place in range(lines * columns):
        axes = panels[place // columns, place % columns]
        if place >= len(names):
            axes.set_visible(False)
            continue
        _ratios(axes, groups, names[place])
    return drawn


def _ratios(axes: Axes, groups: Sequence[Group], name: str) -> None:
    axes.axvline(1.0, color=style.SOFT, linewidth=0.9, linestyle=(0, (3, 3)))
    ends, look = [0.9, 1.1], looks(groups)
    for row, group in enumerate(groups):
        mine = look[group.label]
        if row == 0:
            axes.plot(1.0, 0, mine.marker, markersize=4.5, color=mine.colour)
            continue
        pair = paired(groups[0], group, name)
        if pair is None or not pair.ratio.value > 0:
            continue
        ratio = pair.ratio
        if ratio.low is not None and ratio.high is not None:
            least = max(ratio.low, 1e-3)
            axes.plot([least, ratio.high], [row, row], color=mine.colour, linewidth=2.2)
            ends += [least, ratio.high]
        axes.plot(ratio.value, row, mine.marker, markersize=5, color=mine.colour)
        ends.append(ratio.value)
    axes.set_title(METRICS[name].label)
    axes.set_yticks(range(len(groups)), [group.label for group in groups])
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.set_xlim(min(ends) / 1.12, max(ends) * 1.12)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(min(ends), max(ends))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"×{value:g}"))


def _ticks(low: float, high: float) -> list[float]:
    """One, and round ratios to both sides; never so many that they touch."""
    low, high = min(low, 0.9), max(high, 1.1)
    room = 0.24 * math.log(high / low)
    ticks = [1.0]
    for mark in (1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0):
        if mark <= high * 1.06 and math.log(mark / ticks[-1]) >= room:
            ticks.append(mark)
    for mark in (0.9, 0.8, 0.7, 0.5, 0.3, 0.2, 0.1, 0.03, 0.01, 0.001):
        if mark >= low / 1.06 and math.log(ticks[0] / mark) >= room:
            ticks.insert(0, mark)
    return ticks
