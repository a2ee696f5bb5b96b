"""What a report says, in its order: each section has words, numbers, and a way to draw them."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from attacca.load.report import tables
from attacca.load.report.comparison import SAYS, figures, setups
from attacca.load.report.digest import STARTS
from attacca.load.report.groups import Group, grouped, is_swept, measured, twins
from attacca.load.report.looks import in_order
from attacca.load.report.metrics import number
from attacca.load.report.published import Published
from attacca.load.report.tables import Table
from attacca.load.report.validation import against_itself, validation
from attacca.load.report.verdicts import lines_of, verdicts
from attacca.load.sending.pacing import LATE_S, LATE_STOP, LATE_WARN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from attacca.load.report.digest import Digest

SHOWN: Final = 8  # configurations at most, where each has a line or a row of its own
CURVES: Final = ("cold_share", "memory_gb", "mean_ms", "p99_ms", "slowdown", "queued")
COMPARED: Final = ("mean_ms", "p99_ms", "slowdown", "slowdown_p99", "cold_share", "memory_gb")


class Section(msgspec.Struct, frozen=True):
    key: str
    title: str
    says: list[str]
    tables: list[Table]
    draw: Callable[[], "Figure"] | None = None
    is_wide: bool = False  # the tables stand under the figure, not beside it


class Report(msgspec.Struct, frozen=True):
    title: str
    about: list[str]
    warnings: list[str]
    groups: list[Group]
    detailed: Sequence[Group]  # those of the sections after the grid
    sections: list[Section]


def report(digests: Sequence["Digest"], published: Published | None = None) -> Report:
    """`published`: of the same workload, to stand beside."""
    given = grouped(digests)
    groups = in_order([msgspec.structs.replace(group, is_base=place == 0) for place, group in enumerate(given)])
    detailed = _in_detail(groups)
    sections = [_beside(groups, published)] if published is not None else []
    sections += [_fitting(section) for make in GRID if (section := make(groups)) is not None]
    sections += [_fitting(section) for make in MAKERS if (section := make(detailed)) is not None]
    names = list(dict.fromkeys(digest.info.name for digest in digests))
    return Report(", ".join(names[:4]), _about(groups), warnings(groups), groups, detailed, sections)


def _in_detail(groups: Sequence[Group]) -> Sequence[Group]:
    """Those that have a line or a row each: of a grid, one value of its number; never too many to draw."""
    swept = lines_of(groups)
    if swept is not None and len(swept.lines) > 1:
        return swept.at()[len(swept.at()) // 2][1][:SHOWN]
    return groups[:SHOWN]


def _fitting(section: Section) -> Section:
    if section.is_wide or section.draw is None:
        return section
    return msgspec.structs.replace(section, tables=[tables.upright(table) for table in section.tables])


def _about(groups: Sequence[Group]) -> list[str]:
    first = groups[0].first.info
    about = first.scenario.get("about")
    runs = sum(len(group.digests) for group in groups)
    kinds = " and ".join(dict.fromkeys(group.kind for group in groups))
    seeds = sorted({seed for group in groups for seed in group.seeds})
    listed = ", ".join(map(str, seeds)) if len(seeds) <= 12 else f"{seeds[0]} to {seeds[-1]}"
    lines = [str(about)] if about else []
    lines.append(
        f"{runs} {kinds} run{'s' * (runs > 1)} of {len(groups)} configuration{'s' * (len(groups) > 1)}, "
        f"seed{'s' * (len(seeds) > 1)} {listed}. Responses count from the moment an invocation was due."
    )
    return lines


def warnings(groups: Sequence[Group]) -> list[str]:
    """What makes the numbers less than they seem."""
    lines = []
    for group in groups:
        for digest in group.digests:
            where = f"{group.label}, seed {digest.info.seed}"
            stopped_s = digest.info.totals.get("stopped_s")
            if isinstance(stopped_s, int | float):
                lines.append(f"{where}: stopped after {stopped_s:,.0f} s, before all was sent.")
            if not digest.phases.get("run") and digest.phases.get("warmup"):
                lines.append(f"{where}: all of it was due in the warm-up, which is shown as if it were the run.")
            warning = digest.info.totals.get("warning")
            late = digest.late.get("share", 0.0)
            if isinstance(warning, str):  # the run judged itself, and knows whose lateness it was
                lines.append(f"{where}: {warning}.")
            elif late > LATE_WARN:
                much = "do not trust this run" if late > LATE_STOP else "its tail is partly the generator's own"
                lines.append(f"{where}: {late:.0%} were sent over {LATE_S * 1e3:g} ms late: {much}.")
            if digest.metrics.get("error_share", 0.0) > 0.01:
                codes = ", ".join(f"{code} {count:,}" for code, count in digest.errors.items())
                share = digest.metrics["error_share"]
                lines.append(
                    f"{group.label}, seed {digest.info.seed}: {share:.1%} failed ({codes}); latencies leave them out."
                )
        if group.samples() < 1000:
            lines.append(f"{group.label}: {group.samples():,} good answers are too few samples for a 99th percentile.")
    singles = [group.label for group in groups if len(group.digests) == 1]
    if len(groups) > 1 and singles:
        lines.append("One seed only: differences may be chance (" + ", ".join(singles) + "). Run ten seeds.")
    return lines


def _summary(groups: Sequence[Group]) -> Section:
    says = [
        "± and (…) are 95 % intervals: Student's t over seeds; within a single run by batches that follow one another, "
        "wide as neighbours depend on each other, and none where it is too short for that."
    ]
    return Section("summary", "Summary", says, [tables.summary(groups)], is_wide=True)


def _beside(groups: Sequence[Group], published: Published) -> Section:
    says = [SAYS, published.source]
    both = [figures(groups, published), setups(groups, published)]
    return Section("beside", f"Beside {published.name}", says, both, is_wide=True)


def _curves(groups: Sequence[Group]) -> Section | None:
    swept = lines_of(groups)
    if swept is None:
        return None
    names = [name for name in measured(groups, CURVES) if any(any(group.values(name)) for group in groups)]

    def draw() -> "Figure":
        from attacca.load.report.curves import curves

        return curves(swept, names)

    says = [f"Each point is the mean over the seeds, with its 95 % interval, at one value of {swept.key}."]
    if len(swept.lines) > 1:
        says.append(f"The sections below are at {swept.key} = {swept.at()[len(swept.at()) // 2][0]:g}.")
    return Section("curves", f"Over {swept.key}", says, [tables.configurations(groups, names)], draw, is_wide=True)


def _tradeoff(groups: Sequence[Group]) -> Section | None:
    swept = lines_of(groups)
    if swept is None or not all(group.values("memory_gb") and group.values("cold_share") for group in groups):
        return None

    def draw() -> "Figure":
        from attacca.load.report.curves import tradeoff

        return tradeoff(swept)

    says = [f"Along each line {swept.key} grows. What is nearer to the lower left corner is better in both."]
    return Section("tradeoff", "Memory against cold starts", says, [], draw)


def _comparison(groups: Sequence[Group]) -> Section | None:
    """With the first that was given, or what comes of it, before the others."""
    if len(groups) < 2 or len({group.kind for group in groups}) > 1:
        return None
    groups = sorted(groups, key=lambda group: not group.is_base)
    shared = set(groups[0].seeds).intersection(*(group.seeds for group in groups[1:]))
    names = measured(groups, COMPARED)
    says = [
        f"Each as a ratio to {groups[0].label}: the dot is the ratio of means, the bar its 95 % interval by Fieller "
        f"over {len(shared)} shared seed{'s' * (len(shared) != 1)}. To the left is less.",
    ]
    if len(shared) < 2:
        says.append("Too few samples: no interval of a ratio from a single seed.")
    says += verdicts(groups, names)

    def draw() -> "Figure":
        from attacca.load.report.timeseries import comparison

        return comparison(groups, names)

    return Section("comparison", "One against another", says, tables.comparisons(groups, names), draw, is_wide=True)


def _live(groups: Sequence[Group]) -> Section | None:
    pairs = twins(groups)
    if not pairs:
        return None

    def draw() -> "Figure":
        from attacca.load.report.shapes import against_live

        return against_live(pairs)

    says = ["Each quantile of one over the same quantile of the other; on the dashed line they agree."]
    return Section(
        "live",
        "Live against simulated",
        says,
        [
            table
            for live, other in pairs
            for table in (
                *([against_itself(live)] if len(live.digests) > 1 else []),
                validation(live, other, other.label * (len(pairs) > 1)),
            )
        ],
        draw,
    )


def _latency(groups: Sequence[Group]) -> Section:
    def draw() -> "Figure":
        from attacca.load.report.shapes import percentiles

        return percentiles(groups)

    says = ["Dotted where fewer than ten samples lie beyond."]
    if any(len(group.digests) > 1 for group in groups):
        says.append("The line is the mean over the seeds, the band their least and most.")
    return Section("latency", "Response by percentile", says, [tables.percentiles(groups)], draw)


def _slowdown(groups: Sequence[Group]) -> Section:
    def draw() -> "Figure":
        from attacca.load.report.shapes import slowdowns

        return slowdowns(groups)

    says = [
        "How many times longer an invocation took than alone: response over "
        f"{groups[0].first.durations}; at least 1, and no duration below 1 ms.",
    ]
    return Section("slowdown", "Slowdown of functions", says, [tables.slowdowns(groups)], draw)


def _cold(groups: Sequence[Group]) -> Section | None:
    if not any(group.first.starts for group in groups):
        return None

    def draw() -> "Figure":
        from attacca.load.report.shapes import cold

        return cold(groups)

    says = ["Cold: a sandbox was made while the invocation waited, from nothing or from a template."]
    if len(groups) > 1 and all(group.values("memory_gb") for group in groups):
        says.append("What is nearer to the lower left corner is better in both.")
    return Section("cold", "Cold starts", says, [tables.starts(groups)], draw)


def _applications(groups: Sequence[Group]) -> Section | None:
    if not any(group.first.applications for group in groups):
        return None

    def draw() -> "Figure":
        from attacca.load.report.shapes import cold_of_applications

        return cold_of_applications(groups)

    says = [
        "An application is the functions that the trace puts into one, or a function by itself. Its cold share is of "
        "its invocations; its slowdown the geometric mean over them, of all seeds."
    ]
    return Section("applications", "Applications", says, tables.of_applications(groups), draw)


def _throughput(groups: Sequence[Group]) -> Section | None:
    if not (is_swept(groups) or any(group.first.windows.rate for group in groups)):
        return None

    def draw() -> "Figure":
        from attacca.load.report.shapes import throughput

        return throughput(groups)

    every = groups[0].first.windows.every_s
    says = [f"By windows of {number(every)} s of the first seed, as the load itself went up and down."]
    if is_swept(groups):
        says = ["One point for each load."]
    return Section("throughput", "Latency against throughput", says, [tables.throughput(groups)], draw)


def _time(groups: Sequence[Group]) -> Section | None:
    if not any(group.first.series.t for group in groups):
        return None

    def draw() -> "Figure":
        from attacca.load.report.timeseries import over_time

        return over_time(groups)

    says = [f"Means over {groups[0].first.series.every_s:.4g} s, all workers together; the first seed of each."]
    return Section("time", "Over time", says, [tables.phases(groups), tables.platform(groups)], draw)


def _split(groups: Sequence[Group]) -> Section | None:
    if not any(group.first.split for group in groups):
        return None

    def draw() -> "Figure":
        from attacca.load.report.timeseries import split

        return split(groups)

    seen = [start for start in STARTS if any(start in group.first.starts for group in groups)]
    says = [f"Mean time by how the sandbox came to be ({', '.join(seen)}); the first seed of each."]
    return Section("split", "Where the time goes", says, [tables.split(groups)], draw, is_wide=True)


def _gantt(groups: Sequence[Group]) -> Section | None:
    if not groups[0].first.gantt:
        return None

    def draw() -> "Figure":
        from attacca.load.report.timeseries import gantt

        return gantt(groups[0])

    says = [f"Of {groups[0].label}, seed {groups[0].first.info.seed}; the number is the place in the schedule."]
    return Section("gantt", "Single invocations", says, [], draw, is_wide=True)


def _functions(groups: Sequence[Group]) -> Section:
    few = sum(function.invocations < 1000 for function in groups[0].first.functions)
    count = len(groups[0].first.functions)
    says = [f"Of {groups[0].label}, first seed. {few} of {count} functions have too few samples for a 99th percentile."]
    return Section("functions", "Functions", says, tables.functions(groups[0]), is_wide=True)


def _runs(groups: Sequence[Group]) -> Section:
    return Section("runs", "Runs", [], [tables.runs(groups), tables.settings(groups)], is_wide=True)


Make = Callable[[Sequence[Group]], Section | None]
GRID: Final[tuple[Make, ...]] = (_tradeoff, _curves)  # of all configurations
MAKERS: Final[tuple[Make, ...]] = (
    _summary, _comparison, _live, _latency, _slowdown, _cold, _applications, _throughput, _time, _split, _gantt,
    _functions, _runs,
)  # fmt: skip
