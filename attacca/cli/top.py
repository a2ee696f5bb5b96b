"""`attacca top`: workers, functions and sandboxes, live."""

import time
from typing import Annotated, Any

import typer

from attacca.cli.client import Client
from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screen import console, milliseconds, seconds, show_json

EXAMPLES = """
attacca top
attacca top --every 0.2
attacca top --once  # one picture, no screen
attacca top --json | jq '.[0].used_mb'
"""
PHASES = {"busy": "green", "idle": "dim", "starting": "yellow", "making": "yellow"}


def run(
    *,
    every_s: Annotated[float, typer.Option("--every", metavar="SECONDS", min=0.05, help="How often.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print one picture and end.")] = False,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Watch workers, functions and sandboxes until Ctrl-C."""
    with Client(url, token) as client:
        views = client.json("GET", "/api/workers")
        if as_json:
            show_json(views)
            return
        screen = console()
        if once or not screen.is_terminal:
            screen.print(picture(views, client.url))
            return
        watch(client, views, every_s)


def watch(client: Client, views: list[dict[str, Any]], every_s: float) -> None:
    from rich.live import Live

    try:
        with Live(picture(views, client.url), console=console(), screen=True, auto_refresh=False) as live:
            while True:
                rows = live.console.size.height
                live.update(picture(views, client.url, rows), refresh=True)
                time.sleep(every_s)  # noqa: TID251 - a person looks at it
                views = client.json("GET", "/api/workers")
    except KeyboardInterrupt:
        return


def picture(views: list[dict[str, Any]], url: str, rows: int = 0) -> Any:
    """Everything at once; `rows` is the height of the screen, 0 for no limit."""
    from rich.console import Group
    from rich.text import Text

    parts: list[Any] = [Text.assemble(("attacca top ", "bold"), (url, "dim"))]
    parts += [worker_line(view) for view in views]
    functions = [function for view in views for function in view["functions"]]
    sandboxes = [sandbox for view in views for sandbox in view["sandboxes"]]
    room = max(rows - len(parts) - len(functions) - 6, 3) if rows else len(sandboxes)
    parts += [Text(""), functions_table(functions), Text(""), sandboxes_table(sandboxes[:room])]
    if len(sandboxes) > room:
        parts.append(Text(f"and {len(sandboxes) - room} more", style="dim"))
    return Group(*parts)


def worker_line(view: dict[str, Any]) -> Any:
    from rich.text import Text

    width = 24
    filled = min(width, round(width * view["used_mb"] / max(view["memory_mb"], 1)))
    return Text.assemble(
        (f"{view['name']} ", "bold cyan"),
        ("█" * filled, "green"), ("░" * (width - filled), "dim"),
        f" {view['used_mb']} of {view['memory_mb']} MB",
        (" · ", "dim"), f"{view['running']} running", (f" of {view['limit']} at once", "dim"),
        (" · ", "dim"), (f"{view['queued']} queued", "yellow" if view["queued"] else ""),
        (" · ", "dim"), f"{len(view['sandboxes'])} sandboxes",
        (" · draining", "bold red") if view["draining"] else "",
    )  # fmt: skip


def functions_table(functions: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("function", style="cyan", no_wrap=True)
    for heading in (
        "queued",
        "running",
        "idle",
        "templates",
        "invoked",
        "cold",
        "template",
        "warm",
        "errors",
        "p50 ms",
        "p99 ms",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in sorted(functions, key=lambda row: (-row["running"], -row["invocations"], row["function"])):
        table.add_row(
            row["function"], _count(row["queued"], "yellow"), _count(row["running"], "green"), _count(row["idle"]),
            _count(row["templates"]), _count(row["invocations"]), _count(row["cold"], "red"), _count(row["template"]),
            _count(row["warm"] + row["prewarmed"]), _count(row["errors"], "red"),
            milliseconds(row["exec_ms"]["p50"]), milliseconds(row["exec_ms"]["p99"]),
        )  # fmt: skip
    return table


def sandboxes_table(sandboxes: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("sandbox", no_wrap=True)
    table.add_column("revision", style="cyan", no_wrap=True)
    table.add_column("phase", no_wrap=True)
    for heading in ("memory", "busy", "served", "age", "idle"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in sorted(sandboxes, key=lambda row: (-row["busy"], row["idle_s"], row["id"])):
        phase = str(row["phase"])
        colour = PHASES.get(phase, "")
        table.add_row(
            row["id"], row["revision"], f"[{colour}]{phase}[/]" if colour else phase, f"{row['memory_mb']} MB",
            _count(row["busy"], "green"), _count(row["served"]), seconds(row["age_s"]), seconds(row["idle_s"]),
        )  # fmt: skip
    return table


def _count(value: int, colour: str = "") -> str:
    if not value:
        return "[dim]·[/]"
    return f"[{colour}]{value}[/]" if colour else str(value)
