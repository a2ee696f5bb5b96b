"""What each number of clients got through."""

from attacca.cli.screens.terminal import console, marked, milliseconds
from attacca.lab.ramp import Rung, knee

WIDTH = 24


def show(name: str, rungs: list[Rung], directory: str = "", width: int | None = None) -> None:
    from rich.table import Table

    screen = console(width=width)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("clients", "per second"):
        table.add_column(heading, justify="right")
    table.add_column("", style="green", min_width=WIDTH)
    for heading in ("mean ms", "p50", "p99", "failed"):
        table.add_column(heading, justify="right")
    most = max(rung.per_s for rung in rungs) or 1.0
    for rung in rungs:
        times = (milliseconds(value) for value in (rung.mean_ms, rung.p50_ms, rung.p99_ms))
        failed = marked("[red]{}[/]", rung.failed) if rung.failed else ""
        bar = "█" * max(1, round(WIDTH * rung.per_s / most))
        table.add_row(str(rung.clients), f"{rung.per_s:,.0f}", bar, *times, failed)
    screen.print(table)
    at = knee(rungs)
    if at < rungs[-1].clients:
        screen.print(marked("[cyan]{}[/] gets hardly more through from [bold]{}[/] clients on", name, at))
    if directory:
        screen.print(marked("[dim]recorded in {}; attacca report {}[/]", directory, directory), soft_wrap=True)
