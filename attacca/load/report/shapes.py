"""Figures of distributions: response by percentile, slowdown of functions, live against simulated."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from attacca.load.report import style
from attacca.load.report.digest import SHARES
from attacca.load.report.groups import Group, is_swept, load, rate
from attacca.load.report.metrics import BANDS
from attacca.load.statistics.samples import TAIL_SAMPLES

NINES = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)


def percentiles(groups: Sequence[Group]) -> Figure:
    """Response against percentile, the axis stretched towards the end as HdrHistogram does."""
    drawn = style.figure()
    axes = drawn.subplots()
    reach = 2.0
    for index, group in enumerate(groups):
        samples = group.samples()
        if samples < 1:
            continue
        shown = [place for place, share in enumerate(SHARES) if share < 1.0 and (1.0 - share) * samples >= 1.0]
        sure = [place for place in shown if (1.0 - SHARES[place]) * samples >= TAIL_SAMPLES]
        least, middle, most = group.quantiles()
        at = [1.0 / (1.0 - share) for share in SHARES[:-1]]
        reach = max([reach, *(at[place] for place in shown)])
        look: dict[str, Any] = {"color": style.colour(index)}
        axes.plot([at[i] for i in sure], [middle[i] for i in sure], label=group.label, **look)
        rest = shown[len(sure) - 1 if sure else 0 :]
        axes.plot([at[i] for i in rest], [middle[i] for i in rest], linestyle=":", linewidth=1.2, **look)
        if len(group.digests) > 1 and len(groups) <= BANDS:
            across = [at[i] for i in shown]
            axes.fill_between(across, [least[i] for i in shown], [most[i] for i in shown], alpha=0.15, lw=0, **look)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1.0, reach * 1.15)
    axes.xaxis.set_major_locator(FixedLocator([1.0 / (1.0 - share) for share in NINES if 1.0 / (1.0 - share) <= reach]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{100 * (1 - 1 / at):.7g} %"))
    axes.xaxis.set_minor_locator(NullLocator())
    style.time_axis(axes.yaxis)
    axes.set_xlabel("percentile of invocations")
    axes.set_ylabel("response, from when it was due")
    style.legend(axes, loc="upper left")
    return drawn


def slowdowns(groups: Sequence[Group]) -> Figure:
    """The share of functions whose slowdown is at most this."""
    drawn = style.figure()
    axes = drawn.subplots()
    for index, group in enumerate(groups):
        ordered = sorted(group.slowdowns().values())
        if not ordered:
            continue
        shares = [place / len(ordered) for place in range(len(ordered) + 1)]
        axes.step(
            [1.0, *ordered], shares, where="post", label=group.label, color=style.colour(index),
            linestyle=style.dash(index),
        )  # fmt: skip
    axes.set_xscale("log")
    worst = max((value for group in groups for value in group.slowdowns().values()), default=1.0)
    axes.set_xlim(0.97, max(worst * 1.05, 1.2))
    style.plain_log(axes.xaxis)
    axes.set_ylim(0.0, 1.02)
    axes.set_xlabel("slowdown of a function, geometric mean over its invocations (×)")
    axes.set_ylabel("share of functions")
    style.legend(axes, loc="lower right")
    return drawn


def against_live(twins: Sequence[tuple[Group, Group]]) -> Figure:
    """Each quantile of the simulated response over the same quantile of the live one."""
    drawn = style.figure(4.6, 4.0)
    axes = drawn.subplots()
    ends: list[float] = []
    for index, (live, simulated) in enumerate(twins):
        samples = min(live.samples(), simulated.samples())
        shown = [i for i, share in enumerate(SHARES) if 0.0 < share < 1.0 and (1.0 - share) * samples >= TAIL_SAMPLES]
        left, right = live.quantiles()[1], simulated.quantiles()[1]
        across, up = [left[i] for i in shown], [right[i] for i in shown]
        ends += [*across, *up]
        label = live.label.replace(" live", "")
        axes.plot(across, up, color=style.colour(index), label=label)
        marked = [place for place in shown if SHARES[place] in (0.1, 0.5, 0.9) or abs(SHARES[place] - 0.99) < 1e-9]
        axes.plot([left[i] for i in marked], [right[i] for i in marked], "o", markersize=4, color=style.colour(index))
        for i in marked:
            axes.annotate(
                f"p{100 * SHARES[i]:g}", (left[i], right[i]), xytext=(6, -9), textcoords="offset points", fontsize=8,
                color=style.SOFT,
            )  # fmt: skip
    low, high = max(min(ends, default=1e-3), 1e-6), max(ends, default=1.0)
    axes.plot([low, high], [low, high], color=style.SOFT, linewidth=0.9, linestyle=(0, (3, 3)), zorder=1)
    for axis, name in ((axes.xaxis, "live"), (axes.yaxis, "simulated")):
        getattr(axes, "set_xscale" if name == "live" else "set_yscale")("log")
        axis.set_view_interval(low / 1.1, high * 1.1, ignore=True)
        style.time_axis(axis)
        axis.set_label_text(f"response, {name}")
    axes.set_aspect("equal")
    style.legend(axes, loc="upper left")
    return drawn


def throughput(groups: Sequence[Group]) -> Figure:
    """Latency against throughput: one point per configuration where the load was varied, else one per window."""
    drawn = style.figure()
    axes = drawn.subplots()
    if is_swept(groups):
        points = sorted(groups, key=load)
        for index, (name, label) in enumerate((("p50_ms", "median"), ("p99_ms", "p99"))):
            found = [group.metric(name) for group in points]
            axes.plot(
                [rate(group) for group in points], [one.value / 1e3 if one else math.nan for one in found],
                marker="o", markersize=4, color=style.colour(index), label=label,
            )  # fmt: skip
    else:
        for index, group in enumerate(groups):
            windows = group.first.windows
            axes.scatter(
                windows.rate, windows.p50_s, s=11, alpha=0.75, linewidths=0, color=style.colour(index),
                label=group.label if len(groups) > 1 else "median of a window",
            )  # fmt: skip
            pairs = zip(windows.rate, windows.p99_s, strict=True)
            tails = [(rate, tail) for rate, tail in pairs if tail is not None]
            if len(groups) == 1 and tails:
                axes.scatter(
                    [rate for rate, _ in tails], [tail for _, tail in tails], s=13, marker="^", alpha=0.75,
                    linewidths=0, color=style.colour(1), label="p99 of a window",
                )  # fmt: skip
    axes.set_yscale("log")
    style.time_axis(axes.yaxis)
    axes.set_xlim(left=0.0)
    axes.set_xlabel("good answers a second")
    axes.set_ylabel("response")
    style.legend(axes, loc="upper left")
    return drawn


def cold(groups: Sequence[Group]) -> Figure:
    """Memory against cold share where configurations differ in it, else the functions' cold shares."""
    drawn = style.figure()
    axes = drawn.subplots()
    if len(groups) > 1 and all(group.values("memory_gb") for group in groups):
        for index, group in enumerate(groups):
            held, share = group.metric("memory_gb"), group.metric("cold_share")
            if held is None or share is None:
                continue
            axes.errorbar(
                held.value, 100 * share.value, xerr=held.half, yerr=100 * share.half if share.half else None,
                fmt="o", markersize=6, capsize=2.5, elinewidth=1.1, color=style.colour(index), label=group.label,
            )  # fmt: skip
            if len(groups) <= BANDS:
                place = (held.value, 100 * share.value)
                axes.annotate(group.label, place, xytext=(7, 5), textcoords="offset points", fontsize=8.5)
        axes.set_xlabel("memory held by sandboxes, mean over time (GB)")
        axes.set_ylabel("cold share (%)")
        axes.margins(0.16, 0.16)
        axes.set_xlim(left=0.0)
        axes.set_ylim(bottom=0.0)
        if len(groups) > BANDS:
            style.legend(axes, loc="upper left")
        return drawn
    for index, group in enumerate(groups):
        shares = sorted(100 * one.cold / one.invocations for one in group.first.functions)
        axes.step(
            [0.0, *shares], [place / max(len(shares), 1) for place in range(len(shares) + 1)], where="post",
            label=group.label, color=style.colour(index),
        )  # fmt: skip
    axes.set_xlabel("cold share of a function (%)")
    axes.set_ylabel("share of functions")
    axes.set_ylim(0.0, 1.02)
    axes.xaxis.set_minor_formatter(NullFormatter())
    style.legend(axes, loc="lower right")
    return drawn
