"""Figures of configurations that differ in one number: each metric over it, and memory against cold starts."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from attacca.load.report import style
from attacca.load.report.lines import Lines
from attacca.load.report.metrics import METRICS


def curves(found: Lines, names: Sequence[str]) -> Figure:
    """Each metric over the number, with its interval over the seeds."""
    columns = min(len(names), 2)
    rows = -(-len(names) // columns)
    drawn = style.figure(7.4, 0.4 + 2.35 * rows)
    panels = drawn.subplots(rows, columns, squeeze=False, sharex=True)
    for place, name in enumerate(names):
        axes = panels[place // columns, place % columns]
        factor = 100.0 if METRICS[name].unit == "%" else 1.0
        for index, line in enumerate(found.lines):
            known = [(x, value) for x, group in line.points if (value := group.metric(name)) is not None]
            axes.errorbar(
                [x for x, _ in known], [factor * value.value for _, value in known],
                yerr=[factor * (value.half or 0.0) for _, value in known], marker="o", markersize=3.5, capsize=2,
                elinewidth=1.0, linewidth=1.4, color=style.colour(index), linestyle=style.dash(index), label=line.label,
            )  # fmt: skip
        axes.set_title(f"{METRICS[name].label} ({METRICS[name].unit})" if METRICS[name].unit else METRICS[name].label)
        axes.set_ylim(bottom=0.0)
    for place in range(len(names), rows * columns):
        panels[place // columns, place % columns].set_visible(False)
    for axes in panels[-1]:
        axes.set_xlabel(found.key)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    if len(labels) > 1:
        drawn.legend(handles, labels, loc="outside upper left", ncols=min(len(labels), 5))
    return drawn


def tradeoff(found: Lines) -> Figure:
    """Memory held against cold share: along each line, the number grows."""
    drawn = style.figure(7.4, 4.2)
    axes = drawn.subplots()
    for index, line in enumerate(found.lines):
        pairs = [(group.metric("memory_gb"), group.metric("cold_share")) for _, group in line.points]
        known = [(held, share) for held, share in pairs if held is not None and share is not None]
        axes.errorbar(
            [held.value for held, _ in known], [100 * share.value for _, share in known],
            xerr=[held.half or 0.0 for held, _ in known], yerr=[100 * (share.half or 0.0) for _, share in known],
            marker="o", markersize=4, capsize=2, elinewidth=1.0, linewidth=1.4, color=style.colour(index),
            linestyle=style.dash(index), label=line.label,
        )  # fmt: skip
    axes.set_xlabel("memory held by sandboxes, mean over time (GB)")
    axes.set_ylabel("cold share (%)")
    axes.set_xlim(left=0.0)
    axes.set_ylim(bottom=0.0)
    style.legend(axes, loc="upper right")
    return drawn
