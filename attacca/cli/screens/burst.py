"""What many invocations at once add up to: latencies by start, a histogram, errors."""

from collections.abc import Sequence
from typing import Any

from attacca.cli.screens.terminal import STARTS, console, counted, marked, milliseconds
from attacca.lab.burst import Shot, histogram, summary

BLOCKS = " ▏▎▍▌▋▊▉█"


def show(name: str, shots: Sequence[Shot], elapsed_s: float, at_once: int, width: int | None = None) -> None:
    said = summary(shots, elapsed_s)
    screen = console(width=width)
    what = "[bold]{}[/] of [cyan]{}[/], {} at once, in {} s: [bold]{}[/] per second"
    many, per_s = counted(said["invocations"], "invocation"), f"{said['per_s']:g}"
    screen.print(marked(what, many, name, at_once, f"{elapsed_s:.2f}", per_s))
    if said["latency_ms"]:
        screen.print()
        screen.print(_latencies(said))
        screen.print()
        screen.print(_histogram([shot.ms for shot in shots if not shot.error]))
    for error, count in said["errors"].items():
        screen.print(marked("[red]{}[/] {}", f"{count:>6}", error))


def _latencies(said: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("ms")
    for heading in ("count", "p50", "p90", "p99", "max"):
        table.add_column(heading, justify="right")
    rows = [("all", "", said["ok"], said["latency_ms"])]
    rows += [
        (start, STARTS[start], said["starts"][start], values) for start, values in said["latency_ms_by_start"].items()
    ]
    for label, style, count, values in rows:
        cells = (milliseconds(values[name]) for name in ("p50", "p90", "p99", "max"))
        table.add_row(marked(f"[{style}]{{}}[/]", label) if style else label, str(count), *cells)
    return table


def _histogram(values: Sequence[float], width: int = 32) -> Any:
    from rich.table import Table

    buckets = histogram(values)
    most = max(count for _, _, count in buckets)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", style="dim")
    table.add_column(style="green", min_width=width)
    table.add_column(justify="right")
    for low, high, count in buckets:
        eighths = round(8 * width * count / most)
        block = "█" * (eighths // 8) + BLOCKS[eighths % 8].strip()
        if count and not block:
            block = BLOCKS[1]
        table.add_row(f"{milliseconds(low)} to {milliseconds(high)}", block, str(count) if count else "")
    return table
