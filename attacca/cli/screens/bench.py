"""What `attacca load bench` shows: medians of each function, by start and part."""

from attacca.cli.screens.terminal import STARTS, console, marked, milliseconds
from attacca.lab.bench import PARTS_KEPT, Bench, median


def show(bench: Bench, out: str, width: int | None = None) -> None:
    from rich.table import Table

    screen = console(width=width)
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("function", style="cyan", no_wrap=True)
    table.add_column("start")
    for heading in ("count", "p50 ms", *PARTS_KEPT[:-1]):
        table.add_column(heading, justify="right")
    for name, timings in bench.functions.items():
        for start in STARTS:
            times = timings.starts.get(start)
            if times is not None:
                cells = (milliseconds(median(times[part])) for part in ("total", *PARTS_KEPT[:-1]))
                table.add_row(name, marked(f"[{STARTS[start]}]{{}}[/]", start), str(len(times["total"])), *cells)
    screen.print(table)
    for name, error in bench.errors.items():
        screen.print(marked("[red]{}[/] {}", name, error), soft_wrap=True)
    if out:
        screen.print(marked("[dim]written to {}[/]", out))
