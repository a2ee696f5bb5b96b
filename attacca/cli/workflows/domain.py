"""`attacca domain`: the domains of a federation."""

from typing import Annotated, Any

import typer

from attacca.cli.command import VerbCommand, VerbGroup
from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screens.terminal import console, counted, marked, say, show_json, visible
from attacca.client.http import Client, quoted

app = typer.Typer(
    cls=VerbGroup,
    help="List and inspect the domains of a federation: --url is the address of `attacca federation`.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
LIST = """
attacca domain list
attacca domain list --json | jq -r '.[] | select(.is_here) | .name'
"""
INSPECT = "attacca domain inspect home"
DomainName = Annotated[
    str, typer.Argument(metavar="DOMAIN", help="As `attacca domain list` shows it.", show_default=False)
]


@app.command("list", cls=VerbCommand, epilog=LIST)
def list_domains(*, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """List the domains: what their nodes have together, and how many workflows are there."""
    with Client(url, token) as client:
        views = client.json("GET", "/api/domains")
    if as_json:
        show_json(views)
    elif views:
        show_rows(views)
    else:
        say("No domain has joined.", "dim")


@app.command("inspect", cls=VerbCommand, epilog=INSPECT)
def inspect(name: DomainName, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Show what workflows may require of a domain, and which are there."""
    with Client(url, token) as client:
        view = client.json("GET", f"/api/domains/{quoted(name)}")
    if as_json:
        show_json(view)
    else:
        show(view)


def state(view: dict[str, Any]) -> Any:
    return marked("[green]{}[/]", "here") if view["is_here"] else marked("[red]{}[/]", "away")


def show_rows(views: list[dict[str, Any]], width: int | None = None) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("domain", "state", "nodes", "reserved", "workflows", "labels"):
        table.add_column(title, justify="right" if title in ("nodes", "reserved", "workflows") else "left")
    for view in views:
        summary = view["summary"]
        held = f"{summary['reserved_mb']} of {summary['memory_mb']} MB"
        labels = " ".join(map(visible, summary["labels"]))
        nodes, workflows = str(len(summary["nodes"])), str(len(view["workflows"]))
        table.add_row(visible(view["name"]), state(view), nodes, held, workflows, labels)
    console(width=width).print(table)
    say(counted(len(views), "domain"), "dim")


def show(view: dict[str, Any], width: int | None = None) -> None:
    from rich.table import Table

    summary = view["summary"]
    facts = {
        "address": visible(summary["url"]),
        "nodes": " ".join(map(visible, summary["nodes"])),
        "for sandboxes": f"{summary['reserved_mb']} of {summary['memory_mb']} MB reserved",
        "largest machine": f"{summary['processors']} processors, {summary['machine_mb']} MB",
        "labels": " ".join(map(visible, summary["labels"])),
        "has": " ".join(name for name in ("tee", "tpm") if summary[name]),
        "resources": " ".join(map(visible, summary["resources"])),
        "workflows": "\n".join(map(visible, view["workflows"])),
    }
    screen = console(width=width)
    screen.print(marked("[bold cyan]{}[/] ", view["name"]), state(view))
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in facts.items():
        if value:
            table.add_row(marked("[dim]{}[/]", name), value)
    screen.print(table)
