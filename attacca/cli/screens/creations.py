"""How sandboxes that control ordered were made, phase by phase."""

from typing import Any

from attacca.cli.screens.terminal import SELDOM, console, marked, milliseconds, seconds

PHASES = (
    "decision", "order", "room", "sandbox_ms", "network", "image", "code", "imports", "readiness", "propagation"
)  # fmt: skip


def show(rows: list[dict[str, Any]], now: float, width: int | None = None) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("when", "sandbox", "revision", "worker", "outcome"):
        table.add_column(heading, no_wrap=True)
    shown = [phase for phase in PHASES if phase not in SELDOM or any(row.get(phase) for row in rows)]
    for phase in shown:
        table.add_column(phase.removesuffix("_ms"), justify="right")
    table.add_column("why", style="dim", overflow="ellipsis", no_wrap=True)
    for row in sorted(rows, key=lambda row: float(row["at"])):
        style = "[green]{}[/]" if row["outcome"] == "up" else "[red]{}[/]"
        table.add_row(
            f"{seconds(now - row['at'])} ago",
            *(marked("{}", row[key]) for key in ("sandbox", "revision", "worker")),
            marked(style, row["outcome"]),
            *(milliseconds(row[phase] or 0.0) for phase in shown),
            marked("{}", row["why"]),
        )
    console(width=width).print(table)
