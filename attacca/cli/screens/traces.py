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


def show(found: "Summary", width: int | None = None) -> None:
    from rich.table import Table

    from attacca.load.traces.summary import sparkline

    screen = console(width=width)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    mean = found.rate_mean
    table.add_row("functions", f"{found.functions:,} in {found.applications:,} applications, {found.silent:,} silent")
    table.add_row("invocations", f"{found.invocations:,} in {seconds(found.length_s)}")
    minute = f"a minute {found.minute_least:,} to {found.minute_most:,}"
    table.add_row("rate", f"{mean:,.2f} per second; {minute}")
    table.add_row("at once", f"{found.concurrency:,.1f} running on average, if each starts as it arrives")
    table.add_row("skew", ", ".join(f"top {top}: {share:.1%}" for top, share in found.skew.items()))
    triggers = ", ".join(f"{one.trigger} {one.functions:,} ({one.invocations:,})" for one in found.triggers)
    table.add_row("triggers", triggers)
    table.add_row("duration, ms", f"functions {_levels(found.function_duration_ms)}")
    table.add_row("", f"invocations {_levels(found.invocation_duration_ms)}")
    table.add_row("memory, MB", _levels(found.memory_mb))
    table.add_row("rhythm", marked("[cyan]{}[/]", sparkline(found.rhythm)))
    screen.print(table)
    if found.top:
        screen.print()
        screen.print(_busiest(found))


def _busiest(found: "Summary") -> Any:
    from rich.table import Table

    from attacca.load.traces.summary import sparkline

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("function", style="cyan", no_wrap=True)
    table.add_column("trigger", style="dim", no_wrap=True)
    for name in ("invocations", "share", "ms", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("rhythm", style="cyan", no_wrap=True, overflow="crop")
    for one in found.top:
        table.add_row(
            one.function[:12], one.trigger, f"{one.invocations:,}", f"{one.share:.1%}", f"{one.duration_ms:,.0f}",
            str(one.memory_mb), sparkline(one.rhythm),
        )  # fmt: skip
    return table


def _levels(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:,.0f}" if value >= 10 else f"{name} {value:.2g}" for name, value in found.items())


def show_samples(rows: "list[Sampled]", width: int | None = None) -> None:
    """The shape is the sum of the three Wasserstein distances before it, in powers of ten; load and work are per
    function, beside the whole's; the last say how near the best of the random samples of its size is, in what is kept,
    and than how many of them this one is nearer."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for one in rows:
        parts = (one.distance.rate, one.distance.duration, one.distance.memory, one.distance.shape)
        beside = (one.standing.load, one.standing.work)
        table.add_row(
            f"{one.size:,}", f"{one.invocations:,}", *(f"{part:.3f}" for part in parts),
            *(marked("[yellow]{}[/]", f"{part:+.0%}") if abs(part) > OFF else f"{part:+.0%}" for part in beside),
            f"{one.standing.dominant:.0%}", f"{one.standing.best:.3f}", f"{one.standing.nearer:.0%}",
        )  # fmt: skip
    console(width=width).print(table)


def show_fits(found: "list[Fit]", width: int | None = None) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("what", "got", "published"):
        table.add_column(name, no_wrap=True)
    for name in ("measure", "distance", "chance"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found:
        is_far = one.limit is not None and one.distance > one.limit
        distance = marked("[yellow]{}[/]", f"{one.distance:.3f}") if is_far else f"{one.distance:.3f}"
        limit = f"{one.limit:.3f}" if one.limit is not None else "-"
        table.add_row(one.what, one.got, one.wanted, one.measure, distance, limit)
    console(width=width).print(table)
