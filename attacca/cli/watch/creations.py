"""`attacca creations`: how sandboxes that control ordered were made, and where the time went."""

import urllib.parse
from typing import Annotated, Any

import typer

from attacca.cli.options import DEFAULT_URL, Csv, Json, MaybeName, Token, Url
from attacca.cli.screens.terminal import console, marked, milliseconds, say, seconds, show_csv, show_json
from attacca.client.http import Client, quoted

EXAMPLES = """
attacca creations hello
attacca creations --csv > creations.csv  # of all functions
attacca creations hello --json | jq '.[] | select(.outcome != "up") | .why'
"""
PHASES = ("decision", "order", "room", "sandbox_ms", "code", "imports")


def run(
    name: MaybeName = "",
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, metavar="N", help="At most so many.")] = 20,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """Show how sandboxes were made of functions that control scales, the newest last.

    Times are in milliseconds, in the order in which they pass: from the demand until a worker was chosen, the order and
    its answer on the way, waiting for room on the worker, making the sandbox, bringing the code, importing it.
    """
    query = urllib.parse.urlencode({**({"function": name} if name else {}), "limit": limit})
    with Client(url, token) as client:
        rows = client.json("GET", f"/api/creations?{query}")
        if name and not rows:
            client.json("GET", f"/api/functions/{quoted(name)}")  # if it does not exist, that is what there is to say
    if as_json:
        show_json(rows)
    elif as_csv:
        show_csv(rows)
    elif not rows:
        say(f"Control has had no sandbox made{' of ' + name if name else ''} yet.")
        say('  Try: scheduling = "cluster" in function.toml, and deploy')
    else:
        from attacca.kernel.clock import SystemClock

        show(rows, SystemClock().wall())


def show(rows: list[dict[str, Any]], now: float, width: int | None = None) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("when", "sandbox", "revision", "worker", "outcome"):
        table.add_column(heading, no_wrap=True)
    for phase in PHASES:
        table.add_column(phase.removesuffix("_ms"), justify="right")
    table.add_column("why", style="dim", overflow="ellipsis", no_wrap=True)
    for row in sorted(rows, key=lambda row: float(row["at"])):
        style = "[green]{}[/]" if row["outcome"] == "up" else "[red]{}[/]"
        table.add_row(
            f"{seconds(now - row['at'])} ago",
            *(marked("{}", row[key]) for key in ("sandbox", "revision", "worker")),
            marked(style, row["outcome"]),
            *(milliseconds(row[phase]) for phase in PHASES),
            marked("{}", row["why"]),
        )
    console(width=width).print(table)
