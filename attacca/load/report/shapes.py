"""Figures of distributions: response by percentile, slowdown of functions, live against simulated."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from attacca.load.report import style
from attacca.load.report.digest import SHARES
from attacca.load.report.groups import Group, is_swept, load, rate
from attacca.load.report.looks import looks
from attacca.load.statistics.samples import TAIL_SAMPLES

SLOWDOWN = "slowdown of a function, geometric mean over its invocations (×)"
NAMED = (SHARES[100], SHARES[500], SHARES[900], SHARES[990])
NINES = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)


def percentiles(groups: Sequence[Group]) -> Figure:
    """Response against percentile, the axis stretched towards the end as HdrHistogram does."""
    drawn, look = style.figure(), looks(groups)
    axes = drawn.subplots()
    reach = 2.0
    for group in groups:
        samples = group.samples()
        if samples < 1:
            continue
        shown = [place for place, share in enumerate(SHARES) if share < 1.0 and (1.0 - share) * samples >= 1.0]
        sure = [place for place in shown if (1.0 - SHARES[place]) * samples >= TAIL_SAMPLES]
        least, middle, most = group.quantiles()
        at = [1.0 / (1.0 - share) for share in SHARES[:-1]]
        reach = max([reach, *(at[place] for place in shown)])
        mine = look[group.label]
        across, up = [at[i] for i in sure], [middle[i] for i in sure]
        axes.plot(across, up, label=group.label, marker=mine.marker, markevery=_spaced(across), **mine.line)
        rest = shown[len(sure) - 1 if sure else 0 :]
        axes.plot([at[i] for i in rest], [middle[i] for i in rest], ":", linewidth=1.2, color=mine.colour)
        if len(group.digests) > 1:
            across = [at[i] for i in shown]
            band = [least[i] for i in shown], [most[i] for i in shown]
            axes.fill_between(across, *band, alpha=_alpha(groups), lw=0, color=mine.colour)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1.0, reach * 1.15)
    nines = [1.0 / (1.0 - share) for share in NINES if 1.0 / (1.0 - share) <= reach]
    axes.xaxis.set_major_locator(FixedLocator(nines))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{100 * (1 - 1 / at):.7g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    style.time_axis(axes.yaxis)
    axes.set_xlabel("percentile of invocations")
    axes.set_ylabel("response, from when it was due")
    style.legend(axes)
    return drawn


def _spaced(across: Sequence[float]) -> list[int]:
    """Places of markers, evenly on a logarithmic axis."""
    if not across:
        return []
    step = max(math.log(across[-1] / across[0]) / 7, 1e-9)
    places, wanted = [], math.log(across[0])
    for place, at in enumerate(across):
        if math.log(at) >= wanted - 1e-9:
            places.append(place)
            wanted = math.log(at) + step
    return places


def _alpha(groups: Sequence[Group]) -> float:
    """Bands of many lie over each other."""
    return max(0.18 - 0.02 * len(groups), 0.06)


def slowdowns(groups: Sequence[Group]) -> Figure:
    """The share of functions whose slowdown is at most this."""
    drawn = style.figure()
    axes = drawn.subplots()
    _shares(axes, groups, {group.label: _slowdowns(group) for group in groups}, begin=1.0)
    axes.set_xscale("log")
    worst = max((value for group in groups for value in group.slowdowns().values()), default=1.0)
    axes.set_xlim(0.97, max(worst * 1.05, 1.2))
    style.plain_log(axes.xaxis)
    axes.set_xlabel("slowdown of a function (×)" if style.is_narrow() else SLOWDOWN)
    style.legend(axes)
    return drawn


def _slowdowns(group: Group) -> list[list[float]]:
    each = [
        [function.slowdown for function in digest.functions if function.slowdown is not None]
        for digest in group.digests
    ]
    return [sorted(group.slowdowns().values()), *map(sorted, each)]


def cold_of_applications(groups: Sequence[Group]) -> Figure:
    """The share of applications whose cold share is at most this."""
    drawn = style.figure()
    axes = drawn.subplots()
    _shares(axes, groups, {group.label: _cold_shares(group) for group in groups}, begin=0.0)
    axes.set_xlim(-1.0, 101.0)
    axes.set_xlabel("cold share of an application (%)")
    style.legend(axes)
    return drawn


def _cold_shares(group: Group) -> list[list[float]]:
    each = [sorted(100 * application.cold_share for application in digest.applications) for digest in group.digests]
    return [sorted(100 * share for share in group.cold_shares().values()), *each]


def _shares(axes: Axes, groups: Sequence[Group], values: Mapping[str, list[list[float]]], begin: float) -> None:
    """Of each group the distribution of the first list, and a band over those of the others: one of each seed."""
    look = looks(groups)
    for group in groups:
        middle, *each = values[group.label]
        if not middle:
            continue
        mine = look[group.label]
        across, up = [begin, *middle], [place / len(middle) for place in range(len(middle) + 1)]
        axes.step(
            across, up, where="post", label=group.label, marker=mine.marker, markevery=style.marks(len(up)), **mine.line
        )
        if len(each) > 1:
            at = sorted({begin, *(value for ordered in each for value in ordered)})
            below = [[bisect_right(ordered, value) / max(len(ordered), 1) for value in at] for ordered in each]
            band = (
                [min(column) for column in zip(*below, strict=True)],
                [max(column) for column in zip(*below, strict=True)],
            )
            axes.fill_between(at, *band, step="post", alpha=_alpha(groups), lw=0, color=mine.colour)
    axes.set_ylim(0.0, 1.02)
    axes.set_ylabel("share of " + ("functions" if begin else "applications"))


def against_live(twins: Sequence[tuple[Group, Group]]) -> Figure:
    """Each quantile of the simulated response over the same quantile of the live one."""
    drawn, look = style.figure(4.0, 4.6), looks([live for live, _ in twins])
    axes = drawn.subplots()
    ends: list[float] = []
    for live, simulated in twins:
        mine = look[live.label]
        samples = min(live.samples(), simulated.samples())
        shown = [i for i, share in enumerate(SHARES) if 0.0 < share < 1.0 and (1.0 - share) * samples >= TAIL_SAMPLES]
        left, right = live.quantiles()[1], simulated.quantiles()[1]
        across, up = [left[i] for i in shown], [right[i] for i in shown]
        ends += [*across, *up]
        label = live.label.replace(" live", "")
        axes.plot(across, up, label=label, **mine.line)
        marked = _apart([place for place in shown if SHARES[place] in NAMED], left)
        axes.plot([left[i] for i in marked], [right[i] for i in marked], mine.marker, color=mine.colour)
        for i in marked if len(twins) == 1 else ():
            axes.annotate(
                f"p{100 * SHARES[i]:g}", (left[i], right[i]), xytext=(6, -9), textcoords="offset points", fontsize=8,
                color=style.SOFT,
            )  # fmt: skip
    low, high = max(min(ends, default=1e-3), 1e-6), max(ends, default=1.0)
    axes.plot([low, high], [low, high], color=style.SOFT, linewidth=0.9, linestyle=(0, (3, 3)), zorder=1)
    wide = max((high / low) ** 0.06, 1.1)  # room for the names of the outermost
    for axis, name in ((axes.xaxis, "live"), (axes.yaxis, "simulated")):
        getattr(axes, "set_xscale" if name == "live" else "set_yscale")("log")
        axis.set_view_interval(low / wide, high * wide, ignore=True)
        style.time_axis(axis)
        axis.set_label_text(f"response, {name}")
    axes.set_aspect("equal")
    style.legend(axes)
    return drawn


def _apart(places: Sequence[int], values: Sequence[float]) -> list[int]:
    """Those whose names have room beside each other."""
    if not places:
        return []
    room = 0.12 * math.log(max(values[places[-1]] / max(values[places[0]], 1e-9), 1.0001))
    kept: list[int] = []
    for place in reversed(places):  # the tail is what is looked for
        if not kept or math.log(values[kept[-1]] / values[place]) >= room:
            kept.append(place)
    return kept


def throughput(groups: Sequence[Group]) -> Figure:
    """Latency against throughput: one point per configuration where the load was varied, else one per window."""
    drawn, look = style.figure(), looks(groups)
    axes = drawn.subplots()
    if is_swept(groups):
        points = sorted(groups, key=load)
        for index, (name, label) in enumerate((("p50_ms", "median"), ("p99_ms", "p99"))):
            intervals = [group.metric(name) for group in points]
            axes.plot(
                [rate(group) for group in points], [span.value / 1e3 if span else math.nan for span in intervals],
                marker=style.marker(index), linestyle=style.dash(index), color=style.colour(index), label=label,
            )  # fmt: skip
    else:
        for group in groups:
            windows, mine = group.first.windows, look[group.label]
            axes.scatter(
                windows.rate, windows.p50_s, s=11, alpha=0.75, linewidths=0, color=mine.colour, marker=mine.marker,
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
    style.legend(axes)
    return drawn


def cold(groups: Sequence[Group]) -> Figure:
    """Memory against cold share where configurations differ in it, else the functions' cold shares."""
    drawn, look = style.figure(), looks(groups)
    axes = drawn.subplots()
    if len(groups) < 2 or not all(group.values("memory_gb") for group in groups):
        shares = {
            group.label: [sorted(100 * function.cold / function.invocations for function in group.first.functions)]
            for group in groups
        }
        _shares(axes, groups, shares, begin=0.0)
        axes.set_xlabel("cold share of a function (%)")
        axes.set_ylabel("share of functions")
        style.legend(axes)
        return drawn
    for group in groups:
        held, share, mine = group.metric("memory_gb"), group.metric("cold_share"), look[group.label]
        if held is None or share is None:
            continue
        axes.errorbar(
            held.value, 100 * share.value, xerr=held.half, yerr=100 * share.half if share.half else None,
            fmt=mine.marker, markersize=6, capsize=2.5, elinewidth=1.1, color=mine.colour, label=group.label,
        )  # fmt: skip
    axes.set_xlabel("memory held by sandboxes (GB)")
    axes.set_ylabel("cold share (%)")
    axes.margins(0.16, 0.16)
    axes.set_xlim(left=0.0)
    axes.set_ylim(bottom=0.0)
    style.legend(axes)
    return drawn
