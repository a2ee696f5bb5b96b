"""A trace as a figure of three panels: arrivals over time, who has how much of the load, how long functions take."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from attacca.load.report import style
from attacca.load.traces.summary import Walk
from attacca.load.traces.types import MINUTE_S, Trace

LINE, OTHER = style.COLOURS[0], style.COLOURS[2]


def draw(trace: Trace, path: Path, title: str = "") -> None:
    """The form follows from the path's ending: svg, png or pdf."""
    walk = Walk(trace)
    with style.drawing():
        figure = style.figure(2.8)
        FigureCanvasAgg(figure)
        rates, skew, durations = figure.subplots(1, 3)
        if title:
            figure.supxlabel(title, fontsize=8, color=style.SOFT)
        _rates(rates, walk)
        _skew(skew, walk)
        _durations(durations, trace, walk)
        figure.savefig(path, dpi=200)


def _rates(axes: Axes, walk: Walk) -> None:
    hours = np.arange(walk.minutes + 1) / 60
    axes.stairs(walk.by_minute / MINUTE_S, hours, color=LINE, linewidth=0.8, baseline=None)
    axes.set(xlabel="hours", ylabel="invocations per second", title="Arrivals", ylim=(0, None))


def _skew(axes: Axes, walk: Walk) -> None:
    ordered = np.sort(walk.totals)[::-1]
    total = max(int(ordered.sum()), 1)
    shares = (np.arange(len(ordered)) + 1) / len(ordered)
    axes.plot(shares, np.cumsum(ordered) / total, color=LINE)
    axes.set(
        xscale="log",
        xlabel="share of functions",
        ylabel="share of invocations",
        title="Skew",
        ylim=(0, 1.02),
    )


def _durations(axes: Axes, trace: Trace, walk: Walk) -> None:
    means = np.sort(trace.functions["duration_ms"].drop_nulls().to_numpy())
    shares = (np.arange(len(means)) + 1) / max(len(means), 1)
    axes.plot(means, shares, color=LINE, label="durations: functions' averages")
    levels = np.linspace(0.001, 0.999, 200)
    if walk.totals.sum():
        values = [float(walk.durations.quantile(float(level))[0]) for level in levels]
        axes.plot(values, levels, color=OTHER, linestyle="--", label="durations: invocations")
    axes.set(xscale="log", xlabel="duration, ms", ylabel="share up to it", title="Durations", ylim=(0, 1.02))
    style.legend(axes)
