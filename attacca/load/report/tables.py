"""The numbers of a report as tables of text, the same on the page and in the terminal."""

import math
from collections.abc import Sequence

import msgspec

from attacca.load.records.info import RunInfo
from attacca.load.report import groups as of
from attacca.load.report.digest import PART_NAMES, PARTS, STARTS, FunctionDigest
from attacca.load.report.groups import Group, measured, paired
from attacca.load.report.metrics import METRICS, number, span
from attacca.load.sending.pacing import LATE_S
from attacca.load.statistics.samples import TOO_FEW, Interval, least_samples, quantile
from attacca.load.statistics.within import ONE_RUN

ROOM = 4  # configurations beside which there is room for words
SEEDS_FOR_RANKS = 7  # with fewer than 8, even all on one side are less than 1 in 100
MOST = 12  # rows of a table of functions
TAILS = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "p999_ms": 0.999}


class Table(msgspec.Struct, frozen=True):
    title: str
    head: list[str]
    rows: list[list[str]]
    note: str = ""
    has_words: bool = False  # the last column explains; a terminal does without it
    is_prose: bool = False  # cells are sentences: to the left, and over several lines


def upright(table: Table) -> Table:
    """The only row of a table as a column, which fits beside a figure."""
    if len(table.rows) != 1 or table.has_words:
        return table
    pairs = zip(table.head[1:], table.rows[0][1:], strict=True)
    return Table(table.title, ["", table.rows[0][0]], [list(pair) for pair in pairs], table.note)


def with_interval(name: str, interval: Interval | None) -> str:
    """A value with its uncertainty, in one unit: 12.3 ± 0.4 ms, or 12.3 (11.8 … 13.9) ms where it leans to a side."""
    if interval is None:
        return "–"
    factor, unit = (100.0, " %") if METRICS[name].unit == "%" else (1.0, f" {METRICS[name].unit}".rstrip())
    text = number(interval.value * factor)
    if interval.low is None or interval.high is None:
        return text + unit
    if interval.samples > 30 or interval.confidence <= 0:  # within one run: it may lean
        text += f" ({number(interval.low * factor)} … {number(interval.high * factor)})"
    else:
        reach = (interval.high - interval.low) / 2
        text += f" ± {number(reach * factor if reach > 1e-9 * abs(interval.value) else 0.0)}"  # the rest is rounding
    return text + unit


def summary(groups: Sequence[Group]) -> Table:
    rows = [
        ["invocations", *(f"{sum(digest.phases.get('run', 0) for digest in group.digests):,}" for group in groups), ""],
        ["seeds", *(str(len(group.digests)) for group in groups), "runs that differ in nothing else"],
    ]
    for name in measured(groups):
        cells = (with_interval(name, group.metric(name)) for group in groups)
        rows.append([METRICS[name].label, *cells, METRICS[name].about])
    table = Table("", ["", *(group.label for group in groups), ""], rows, _without(groups), has_words=True)
    if len(groups) <= ROOM:
        return table
    return Table("", table.head[:-1], [row[:-1] for row in rows], table.note)


def _without(groups: Sequence[Group]) -> str:
    """What a single run says without saying how surely."""
    labels = dict.fromkeys(
        METRICS[name].label
        for group in groups
        for name in measured([group])
        if (interval := group.metric(name)) is not None and interval.note in (ONE_RUN, TOO_FEW) and interval.low is None
    )
    return f"{ONE_RUN} for {', '.join(labels)}" if labels else ""


def configurations(groups: Sequence[Group], names: Sequence[str]) -> Table:
    """A row for each configuration."""
    rows = [[group.label, *(with_interval(name, group.metric(name)) for name in names)] for group in groups]
    return Table("", ["", *(METRICS[name].label for name in names)], rows)


def comparisons(groups: Sequence[Group], names: Sequence[str]) -> list[Table]:
    return [comparison(groups, name) for name in names]


def comparison(groups: Sequence[Group], name: str) -> Table:
    """Who is better than the first, and by how much."""
    rows, fewest = [[groups[0].label, with_interval(name, groups[0].metric(name)), "", "", "", ""]], math.inf
    for group in groups[1:]:
        pair = paired(groups[0], group, name)
        if pair is None:
            rows.append([group.label, with_interval(name, group.metric(name)), "–", "–", "–", "no seed in common"])
            continue
        ratio, fewest = pair.ratio, min(fewest, pair.difference.samples)
        times = f"×{_times(ratio.value)}" if ratio.value == ratio.value else "–"
        if ratio.low is not None and ratio.high is not None:
            times += f" ({_times(ratio.low)} … {_times(ratio.high)})"
        rows.append([
            group.label, with_interval(name, pair.other), with_interval(name, pair.difference), times,
            "–" if pair.difference.note else f"{pair.chance:.2g}", verdict(name, pair.verdict),
        ])  # fmt: skip
    head = [METRICS[name].label, "value", "difference", "ratio", "p (Wilcoxon)", f"than {groups[0].label}"]
    return Table("", head, rows, _floor(fewest))


def _floor(pairs: float) -> str:
    """Ranks of so few seeds cannot say more, however clear the difference is."""
    if not 2 <= pairs <= SEEDS_FOR_RANKS:
        return ""
    least = 0.5 ** (pairs - 1)
    return f"of {pairs:.0f} seeds no p (Wilcoxon) is below {least:.2g}: the verdict is the paired t's, by its interval"


def _times(value: float) -> str:
    return f"{value:.3f}" if 0.1 <= value < 10 else number(value)


def verdict(name: str, word: str) -> str:
    """Verdicts are of what should be small; turned round where more is better, and said as more or less of memory."""
    turned = {"better": "worse", "worse": "better"}
    return word if METRICS[name].is_better_small else turned.get(word, word)


def percentiles(groups: Sequence[Group]) -> Table:
    rows = []
    for group in groups:
        cells = [with_interval(name, group.metric(name)) for name in TAILS]
        few = [name for name, share in TAILS.items() if group.samples() < least_samples(share)]
        rows.append([group.label, *cells, f"{group.samples():,}", f"{100 * TAILS[few[0]]:g} % on" if few else "none"])
    return Table("", ["", "p50", "p90", "p99", "p99.9", "samples", "too few for"], rows)


def slowdowns(groups: Sequence[Group]) -> Table:
    rows = []
    for group in groups:
        ordered = sorted(group.slowdowns().values())
        tails = [f"{number(quantile(ordered, share))} ×" if ordered else "–" for share in (0.5, 0.9, 0.99)]
        means = [with_interval(name, group.metric(name)) for name in ("slowdown", "slowdown_p99")]
        rows.append([group.label, *means, *tails, str(len(ordered))])
    head = ["", "mean", "of p99s", "half under", "90 % under", "99 % under", "functions"]
    return Table("", head, rows)


def of_applications(groups: Sequence[Group]) -> list[Table]:
    """How slowed down, and how cold, the applications are."""
    shares = (0.5, 0.75, 0.9, 1.0)
    heads = [f"{100 * share:g} % under" if share < 1.0 else "most" for share in shares]
    slow, cold = [], []
    for group in groups:
        slowdowns = sorted(group.slowdowns_of_applications().values())
        tails = [f"{number(quantile(slowdowns, share))} ×" if slowdowns else "–" for share in shares]
        slow.append([group.label, with_interval("slowdown_apps", group.metric("slowdown_apps")), *tails])
        chances = sorted(group.cold_shares().values())
        tails = [f"{100 * quantile(chances, share):.3g} %" if chances else "–" for share in shares]
        never = sum(share == 0.0 for share in chances) / len(chances) if chances else math.nan
        cold.append([group.label, str(len(chances)), f"{never:.0%}", *tails])
    return [
        Table("cold starts of applications, % of their invocations", ["", "applications", "never", *heads], cold),
        Table("slowdown of applications, geometric mean", ["", "mean", *heads], slow),
    ]


def starts(groups: Sequence[Group]) -> Table:
    seen = [start for start in STARTS if any(start in group.first.starts for group in groups)]
    rows = []
    for group in groups:
        total = sum(sum(digest.starts.values()) for digest in group.digests) or 1
        counts = [sum(digest.starts.get(start, 0) for digest in group.digests) for start in seen]
        cells = [f"{count:,} ({100 * count / total:.3g} %)" for count in counts]
        rows.append([group.label, with_interval("cold_share", group.metric("cold_share")), *cells])
    return Table("", ["", "cold share", *seen], rows)


def throughput(groups: Sequence[Group]) -> Table:
    names = ("throughput", "p50_ms", "p99_ms", "error_share")
    rows = [[group.label, *(with_interval(name, group.metric(name)) for name in names)] for group in groups]
    return Table("", ["", "good answers", "p50", "p99", "errors"], rows)


def phases(groups: Sequence[Group]) -> Table:
    rows = []
    for group in groups:
        first, workload = group.first, group.first.info.scenario.get("workload")
        warm_s = float(workload.get("warmup_s", 0.0)) if isinstance(workload, dict) else 0.0
        counts = [f"{first.phases.get(phase, 0):,}" for phase in ("warmup", "run", "drain")]
        has_cut = isinstance(workload, dict) and workload.get("settle")
        cut = f"{span(first.warm_up_s)} {'too' if has_cut else 'more'}" if first.warm_up.drop else "nothing more"
        rows.append([group.label, span(warm_s), *counts, cut if first.warm_up.is_settled else "it never settles"])
    head = ["", "warm-up", "in it", "measured", "in drain", "MSER-5 drops"]
    return Table("", head, rows)


def platform(groups: Sequence[Group]) -> Table:
    names = ("sandboxes", "busy", "queued", "memory_gb", "wasted_gb_s")
    rows = [[group.label, *(with_interval(name, group.metric(name)) for name in names)] for group in groups]
    wasted = METRICS["wasted_gb_s"]
    note = f"means over the measured part; {wasted.label}: {wasted.about}"
    return Table("", ["", *(METRICS[name].label for name in names)], rows, note)


def split(groups: Sequence[Group]) -> Table:
    bars = [(group, bar) for group in groups for bar in group.first.split]
    rows = [
        [f"{bar.label} · {group.label}" if len(groups) > 1 else bar.label, f"{bar.count:,}",
         *(span(value) if value else "·" for value in bar.parts), span(bar.total_s)]
        for group, bar in bars
    ]  # fmt: skip
    return Table("", ["", "count", *(PART_NAMES[part] for part in PARTS), "all"], rows)


def functions(group: Group) -> list[Table]:
    digests = group.first.functions
    busiest = sorted(digests, key=lambda digest: (-digest.invocations, digest.name))[:MOST]
    tables = [_functions("most invoked" if len(digests) > MOST else "", busiest)]
    if len(digests) > MOST:
        called = [digest for digest in digests if digest.slowdown is not None]
        tables.append(
            _functions(
                "slowed down most", sorted(called, key=lambda digest: (-(digest.slowdown or 0.0), digest.name))[:MOST]
            )
        )
    return tables


def _functions(title: str, rows: Sequence[FunctionDigest]) -> Table:
    cells = [
        [
            row.name[:24], f"{row.invocations:,}", f"{row.errors:,}" if row.errors else "·",
            f"{100 * row.cold / row.invocations:.3g} %",
            _span(row.duration_s), _span(row.p50_s), _span(row.p99_s) if row.invocations >= 1000 else "too few",
            "–" if row.slowdown is None else f"{number(row.slowdown)} ×",
        ]
        for row in rows
    ]  # fmt: skip
    return Table(title, ["function", "invocations", "errors", "cold", "alone", "p50", "p99", "slowdown"], cells)


def _span(value_s: float | None) -> str:
    return "–" if value_s is None else span(value_s)


def runs(groups: Sequence[Group]) -> Table:
    """With what an invocation took of energy, where any run says that, or that nobody measured it."""
    rows = []
    infos = [digest.info for group in groups for digest in group.digests]
    has_energy = any("invocation_j" in info.totals or "energy" in info.live for info in infos)
    for group in groups:
        for digest in group.digests:
            info, late = digest.info, digest.late
            behind = f"{span(late['p50_s'])}, {span(late['p99_s'])}, {late['share']:.1%}" if late else "–"
            events = info.totals.get("hash") or info.totals.get("event_hash") or info.hash
            rows.append([
                group.label, info.kind, str(info.seed), f"{sum(digest.phases.values()):,}", span(info.wall_s), behind,
                str(events)[:12], *([_joules(info)] if has_energy else []),
            ])  # fmt: skip
    head = ["", "kind", "seed", "invocations", "took", f"late: p50, p99, over {LATE_S * 1e3:g} ms", "hash"]
    head += ["J of an invocation"] if has_energy else []
    return Table("each run", head, rows[:60], f"{len(rows) - 60} more are not shown" if len(rows) > 60 else "")


def _joules(info: RunInfo) -> str:
    value = info.totals.get("invocation_j")
    return f"{value:.3g}" if isinstance(value, float) else "not measured" if "energy" in info.live else "–"


def settings(groups: Sequence[Group]) -> Table:
    """What all have in common, once; and what differs."""
    flats = [of.settings(group.first) for group in groups]
    keys = [key for key in dict.fromkeys(key for flat in flats for key in flat) if not key.startswith("functions.")]
    rows = []
    for key in keys:
        values = [_plain(flat.get(key)) for flat in flats]
        rows.append([key, values[0] if len(set(values)) == 1 else " | ".join(values)])
    return Table("settings", ["key", "value"], [row for row in rows if row[1]], is_prose=True)


def _plain(value: object) -> str:
    return "" if value in (None, [], {}, ()) else str(value)
