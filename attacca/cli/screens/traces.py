"""What `attacca trace` shows: a trace in short, samples beside the whole, a made-up trace beside published curves."""

from typing import TYPE_CHECKING, Any, NamedTuple

from attacca.cli.screens.terminal import console, marked, seconds

if TYPE_CHECKING:
    from attacca.load.traces.fitness import Fit
    from attacca.load.traces.summary import Summary
    from attacca.load.traces.transforms.nearness import Distance
    from attacca.load.traces.transforms.sampling import Standing

COLUMNS = (
    "functions", "invocations", "rate", "duration", "memory", "shape", "load", "work", "busiest", "best of 100",
    "nearer",
)  # fmt: skip
OFF = 0.2  # load or work this far from the whole's is not the whole's
BESIDE = 64  # columns of a row that are not its rhythm


class Sampled(NamedTuple):
    size: int
    invocations: int
    distance: "Distance"
    standing: "Standing"
    where: str


def show(summary: "Summary", width: int | None = None) -> None:
    from rich.table import Table

    from attacca.load.traces.summary import sparkline

    screen = console(width=width)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    mean = summary.rate_mean
    table.add_row(
        "functions", f"{summary.functions:,} in {summary.applications:,} applications, {summary.silent:,} silent"
    )
    table.add_row("invocations", f"{summary.invocations:,} in {seconds(summary.length_s)}")
    minute = f"a minute {summary.minute_least:,} to {summary.minute_most:,}"
    table.add_row("rate", f"{mean:,.2f} per second; {minute}")
    table.add_row("at once", f"{summary.concurrency:,.1f} running on average, if each starts as it arrives")
    table.add_row("skew", ", ".join(f"top {top}: {share:.1%}" for top, share in summary.skew.items()))
    triggers = ", ".join(f"{kind.trigger} {kind.functions:,} ({kind.invocations:,})" for kind in summary.triggers)
    table.add_row("triggers", triggers)
    table.add_row("duration, ms", f"functions {_levels(summary.function_duration_ms)}")
    table.add_row("", f"invocations {_levels(summary.invocation_duration_ms)}")
    table.add_row("memory, MB", _levels(summary.memory_mb))
    table.add_row("rhythm", marked("[cyan]{}[/]", sparkline(summary.rhythm)))
    screen.print(table)
    if summary.top:
        screen.print()
        screen.print(_busiest(summary))


def _busiest(summary: "Summary") -> Any:
    from rich.table import Table

    from attacca.load.traces.summary import sparkline

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("function", style="cyan", no_wrap=True)
    table.add_column("trigger", style="dim", no_wrap=True)
    for name in ("invocations", "share", "ms", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("rhythm", style="cyan", no_wrap=True, overflow="crop")
    for busy in summary.top:
        table.add_row(
            busy.function[:12], busy.trigger, f"{busy.invocations:,}", f"{busy.share:.1%}", f"{busy.duration_ms:,.0f}",
            str(busy.memory_mb), sparkline(busy.rhythm),
        )  # fmt: skip
    return table


def _levels(levels: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:,.0f}" if value >= 10 else f"{name} {value:.2g}" for name, value in levels.items())


def show_samples(rows: "list[Sampled]", width: int | None = None) -> None:
    """The shape is the sum of the three Wasserstein distances before it, in powers of ten; load and work are per
    function, beside the whole's; the last say how near the best of the random samples of its size is, in what is kept,
    and than how many of them this one is nearer."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        parts = (row.distance.rate, row.distance.duration, row.distance.memory, row.distance.shape)
        beside = (row.standing.load, row.standing.work)
        table.add_row(
            f"{row.size:,}", f"{row.invocations:,}", *(f"{part:.3f}" for part in parts),
            *(marked("[yellow]{}[/]", f"{part:+.0%}") if abs(part) > OFF else f"{part:+.0%}" for part in beside),
            f"{row.standing.dominant:.0%}", f"{row.standing.best:.3f}", f"{row.standing.nearer:.0%}",
        )  # fmt: skip
    console(width=width).print(table)


def show_fits(fits: "list[Fit]", width: int | None = None) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("what", "got", "published"):
        table.add_column(name, no_wrap=True)
    for name in ("measure", "distance", "chance"):
        table.add_column(name, justify="right", no_wrap=True)
    for fit in fits:
        is_far = fit.limit is not None and fit.distance > fit.limit
        distance = marked("[yellow]{}[/]", f"{fit.distance:.3f}") if is_far else f"{fit.distance:.3f}"
        limit = f"{fit.limit:.3f}" if fit.limit is not None else "-"
        table.add_row(fit.what, fit.got, fit.wanted, fit.measure, distance, limit)
    console(width=width).print(table)
