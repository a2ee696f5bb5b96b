"""`attacca list`: the deployed functions, one per line."""

from typing import Any

from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screens.terminal import console, say, seconds, show_json, wants
from attacca.client.http import Client

EXAMPLES = """
attacca list
attacca list --json | jq -r '.[].function'
attacca list --url http://10.0.0.5:8080  # another machine's
"""


def run(*, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """List the deployed functions."""
    with Client(url, token) as client:
        rows = client.functions()
    if as_json:
        show_json(rows)
    elif not rows:
        say("No function is deployed here yet.")
        say("  Try: attacca init hello && attacca deploy hello")
    else:
        from attacca.kernel.clock import SystemClock

        show(rows, SystemClock().wall())


def show(rows: list[dict[str, Any]], now: float, width: int | None = None) -> None:
    screen = console(width=width)
    screen.print(table(rows, now))


def table(rows: list[dict[str, Any]], now: float) -> Any:
    from rich.table import Table

    layout = Table(box=None, header_style="bold", pad_edge=False)
    layout.add_column("function", style="cyan", no_wrap=True)
    layout.add_column("rev", justify="right")
    layout.add_column("handler", overflow="fold")
    layout.add_column("signature", style="dim")
    layout.add_column("memory", justify="right")
    layout.add_column("timeout", justify="right")
    layout.add_column("network", style="dim")
    layout.add_column("deployed", justify="right", style="dim")
    for row in rows:
        layout.add_row(
            row["function"], str(row["revision"]), row["handler"], wants(row), f"{row['memory_mb']} MB",
            f"{row['timeout_s']:g} s", row["network"], f"{seconds(now - row['deployed_at'])} ago",
        )  # fmt: skip
    return layout
