"""Figures of configurations that differ in one number: each metric over it, and memory against cold starts."""

from collections.abc import Sequence

import msgspec
from matplotlib.figure import Figure

from attacca.load.report import style
from attacca.load.report.looks import Look, looks
from attacca.load.report.metrics import METRICS
from attacca.load.report.verdicts import Lines


def curves(swept: Lines, names: Sequence[str]) -> Figure:
    """Each metric over the number, with its interval over the seeds."""
    columns = style.beside(min(len(names), 2))
    rows = -(-len(names) // columns)
    drawn, look = style.figure(0.4 + (1.9 if style.is_narrow() else 2.35) * rows), _looks(swept)
    panels = drawn.subplots(rows, columns, squeeze=False, sharex=True)
    for place, name in enumerate(names):
        axes = panels[place // columns, place % columns]
        factor = 100.0 if METRICS[name].unit == "%" else 1.0
        for line in swept.lines:
            mine = look[line.label]
            known = [(x, value) for x, group in line.points if (value := group.metric(name)) is not None]
            axes.errorbar(
                [x for x, _ in known], [factor * value.value for _, value in known],
                yerr=[factor * (value.half or 0.0) for _, value in known], marker=mine.marker, capsize=2,
                elinewidth=1.0, linewidth=1.4, label=line.label, **mine.line,
            )  # fmt: skip
        axes.set_title(f"{METRICS[name].label} ({METRICS[name].unit})" if METRICS[name].unit else METRICS[name].label)
        axes.set_ylim(bottom=0.0)
    for place in range(len(names), rows * columns):
        panels[place // columns, place % columns].set_visible(False)
    for axes in panels[-1]:
        axes.set_xlabel(swept.key)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    style.key(drawn, handles, labels)
    return drawn


def tradeoff(swept: Lines) -> Figure:
    """Memory held against cold share: along each line, the number grows."""
    drawn, look = style.figure(3.2 if style.is_narrow() else 4.2), _looks(swept)
    axes = drawn.subplots()
    for line in swept.lines:
        mine = look[line.label]
        pairs = [(group.metric("memory_gb"), group.metric("cold_share")) for _, group in line.points]
        known = [(held, share) for held, share in pairs if held is not None and share is not None]
        axes.errorbar(
            [held.value for held, _ in known], [100 * share.value for _, share in known],
            xerr=[held.half or 0.0 for held, _ in known], yerr=[100 * (share.half or 0.0) for _, share in known],
            marker=mine.marker, capsize=2, elinewidth=1.0, linewidth=1.4, label=line.label, **mine.line,
        )  # fmt: skip
    axes.set_xlabel("memory held by sandboxes (GB)")
    axes.set_ylabel("cold share (%)")
    axes.set_xlim(left=0.0)
    axes.set_ylim(bottom=0.0)
    style.legend(axes)
    return drawn


def _looks(swept: Lines) -> dict[str, Look]:
    return looks([msgspec.structs.replace(line.points[0][1], label=line.label) for line in swept.lines])
