"""`attacca schedule`: which functions are run by themselves, and when."""

from datetime import datetime
from typing import Any

import typer

from attacca.cli.command import VerbCommand, VerbGroup
from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screens.terminal import console, marked, say, seconds, show_json
from attacca.client.http import Client

app = typer.Typer(
    cls=VerbGroup,
    help="List the schedules of functions, which `schedule` in their function.toml sets.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
LIST = """
attacca schedule list
attacca schedule list --json | jq '.[].next'
"""


@app.callback()
def group() -> None:
    """It has verbs of its own, if only one."""


@app.command("list", cls=VerbCommand, epilog=LIST)
def list_schedules(*, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """List the schedules there are, what is due next first, in the time zone of each."""
    with Client(url, token) as client:
        rows = client.json("GET", "/api/schedules")
    if as_json:
        show_json(rows)
    elif not rows:
        say("No function has a schedule.")
        say('  Try: schedule = "*/5 * * * *" in function.toml, and deploy')
    else:
        from attacca.kernel.clock import SystemClock

        show(rows, SystemClock().wall())


def show(rows: list[dict[str, Any]], now: float, width: int | None = None) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("function", "schedule", "next"):
        table.add_column(heading)
    table.add_column("in", justify="right", style="dim")
    table.add_column("then", overflow="fold", style="dim")
    table.add_column("missed", justify="right")
    for row in rows:
        due, zone = row["next"], row["timezone"]
        then = ", ".join(at(moment, zone) for moment in row["following"])
        missed = marked("[red]{}[/]", row["missed"]) if row["missed"] else "-"
        name, expression = marked("[cyan]{}[/]", row["function"]), marked("{}", row["schedule"])
        when = ("never", "-") if due is None else (f"{at(due, zone)} {zone}", seconds(due - now))
        table.add_row(name, expression, *when, then, missed)
    console(width=width).print(table)


def at(time: float, zone: str) -> str:
    from zoneinfo import ZoneInfo

    return f"{datetime.fromtimestamp(time, ZoneInfo(zone)):%a %d %b %H:%M}"
