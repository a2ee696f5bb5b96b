"""What `attacca bench runtimes` shows: medians of each runtime, and where its cold start goes."""

from attacca.cli.screens.terminal import console, marked, milliseconds
from attacca.lab.answers import MADE
from attacca.lab.runtimes import Costs

PARTS = {part: part for part in (*MADE, "run")} | {"overhead": "rest"}


def show(costs: Costs, width: int | None = None) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("runtime", style="cyan", no_wrap=True)
    for heading in ("deployed", "restarted", "cold", *PARTS.values(), "template", "warm", "MB"):
        table.add_column(heading, justify="right", style="dim" if heading in PARTS.values() else None)
    for cost in costs.runtimes:
        if cost.missing:
            continue
        cold = cost.starts.get("cold", {})
        whole = {start: milliseconds(parts["total"]) for start, parts in cost.starts.items()}
        cells = [whole.get("deployed", ""), whole.get("restarted", ""), whole.get("cold", "")]
        cells += [milliseconds(cold[part]) if part in cold else "" for part in PARTS]
        cells += [whole.get("template", ""), whole.get("warm", "")]
        memory = "" if cost.memory_mb is None else f"{cost.memory_mb:.1f}"
        table.add_row(cost.runtime, *cells, memory)
    screen = console(width=width)
    screen.print(table)
    what = (
        "Milliseconds, medians, as the client saw them; of a cold start its parts too. MB: of an idle sandbox. "
        "Deployed, restarted: the first invocation after a deployment was done, after the server came back."
    )
    screen.print(marked("[dim]{}[/]", what), soft_wrap=True)
    for cost in costs.runtimes:
        if cost.missing:
            screen.print(marked("[yellow]{}[/] {}", cost.runtime, cost.missing), soft_wrap=True)
