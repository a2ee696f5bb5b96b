"""What the verbs for asynchronous calls share."""

import json
import sys
import urllib.parse
from typing import Annotated, Any

import typer

from attacca.cli.screens.terminal import console, marked, seconds, show_json
from attacca.client.http import Client, decoded

CallId = Annotated[str, typer.Argument(metavar="ID", help="Of the call.", show_default=False)]
State = Annotated[
    str, typer.Option("--state", metavar="STATE", help="waiting, done, dead or cancelled.", show_default=False)
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, metavar="N", help="At most so many.")]
COLOURS = {"waiting": "yellow", "done": "green", "dead": "red", "cancelled": "dim"}


def rows(client: Client, name: str, state: str, limit: int) -> list[dict[str, Any]]:
    """
    Raises:
        AttaccaError: as `Client.json` does.
    """
    asked = {"function": name, "state": state, "limit": limit}
    query = urllib.parse.urlencode({key: value for key, value in asked.items() if value})
    calls: list[dict[str, Any]] = client.json("GET", f"/api/async?{query}")
    return calls


def at_gateway(client: Client, method: str, path: str) -> dict[str, Any]:
    """What the gateway says of a call, which is no part of the admin API.

    Raises:
        AttaccaError: as `Client.json` does.
    """
    answer = client.request(method, path)
    if answer.status >= 400:
        client.fail(answer.status, answer.body, method, path)
    status: dict[str, Any] = decoded(answer.body)
    return status


def accepted(
    client: Client, method: str, target: str, body: bytes, headers: dict[str, str], *, count: int, as_json: bool
) -> None:
    """Make the call, so many times, and print the id of each.

    Raises:
        AttaccaError: it was not accepted.
    """
    for _ in range(count):
        answer = client.request(method, target, body, headers)
        if answer.status >= 400:
            client.fail(answer.status, answer.body, method, target)
        call = decoded(answer.body)
        if as_json:
            show_json(call)
        else:
            sys.stdout.write(call["id"] + "\n")


def show_rows(known: list[dict[str, Any]], now: float | None = None, width: int | None = None) -> None:
    from rich.table import Table

    from attacca.kernel.clock import SystemClock

    now = SystemClock().wall() if now is None else now
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("call", no_wrap=True)
    table.add_column("function")
    table.add_column("state")
    table.add_column("tries", justify="right")
    table.add_column("asked", justify="right", style="dim")
    table.add_column("why", overflow="fold", style="dim")
    for row in known:
        state = marked(f"[{COLOURS.get(row['state'], 'bold')}]{{}}[/]", row["state"])
        asked = f"{seconds(now - row['at'])} ago"
        table.add_row(row["id"], row["function"], state, str(row["attempts"]), asked, marked("{}", row["why"]))
    console(width=width).print(table)


def as_text(body: str) -> str:
    """A body in base64 as what can be read of it."""
    import base64

    content = base64.b64decode(body)
    try:
        return json.dumps(json.loads(content), indent=2, ensure_ascii=False)
    except ValueError:
        return content.decode(errors="backslashreplace")
