"""`attacca config`: the settings of the server, and where each comes from."""

import os
from typing import Annotated, Any

import typer

from attacca.cli.options import ConfigFile, Json
from attacca.cli.screens.terminal import console, marked, say, show_json

EXAMPLES = """
attacca config
attacca config --check attacca.toml
ATTACCA_PORT=9000 attacca config --set worker.keepalive.idle_s=60
attacca config --json | jq '."worker.memory_mb"'
"""
COLOURS = {"file": "cyan", "environment": "yellow", "flag": "green"}


Check = Annotated[
    str, typer.Option("--check", metavar="FILE", help="Only say whether it is right.", show_default=False)
]
Assignments = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As for `up`. Repeatable.")]


def run(*, file: ConfigFile = "", check: Check = "", assignments: Assignments = None, as_json: Json = False) -> None:
    """Show what `attacca up` would go by: defaults, then a file, then ATTACCA_* variables, then flags; the last wins.

    A variable's name is the key in capitals with __ for the dot: ATTACCA_WORKER__MEMORY_MB.
    """
    from attacca.cli.serve.configuration import load
    from attacca.io.store.address import masked
    from attacca.kernel.settings import plain

    settled = load({} if check else os.environ, check or file, assignments=assignments or [])
    origins = dict(settled.origins)
    for key in ("store.url", "workflows.mirror.url"):
        given = origins[key]
        origins[key] = given._replace(value=masked(str(given.value)), where=masked(given.where))
    if check and not as_json:
        said = sum(given.layer == "file" for given in settled.origins.values())
        say(f"{check} is right: {said} setting{'s' * (said != 1)}.", "green")
    elif as_json:
        show_json(
            {
                key: {"value": plain(given.value), "from": given.layer, "where": given.where}
                for key, given in origins.items()
            }
        )
    else:
        show(origins)


def show(origins: dict[str, Any], width: int | None = None) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    for key, given in origins.items():
        colour = COLOURS.get(given.layer, "dim")
        where = f" ({given.where})" if given.where else ""
        table.add_row(key, _shown(given.value), marked(f"[{colour}]{{}}[/]", given.layer + where))
    console(width=width).print(table)


def _shown(value: object) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value not in ({}, None, "") else marked("[dim]-[/]")
