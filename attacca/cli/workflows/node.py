"""`attacca node`: the nodes of a domain, which are its workers as workflows see them."""

from typing import Annotated, Any

import typer

from attacca.cli.command import VerbCommand, VerbGroup
from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screens.terminal import console, counted, marked, say, show_json, visible
from attacca.client.http import Client, quoted

app = typer.Typer(
    cls=VerbGroup,
    help="List, inspect and cordon nodes: workers, as workflows see them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
LIST = """
attacca node list
attacca node list --json | jq -r '.[] | select(.cordoned) | .name'
"""
INSPECT = "attacca node inspect worker-1"
CORDON = """
attacca node cordon worker-1  # what runs there goes on, and nothing new comes
attacca workflow migrate counting --to worker-2
attacca node uncordon worker-1
"""
NodeName = Annotated[str, typer.Argument(metavar="NODE", help="As `attacca node list` shows it.", show_default=False)]


@app.command("list", cls=VerbCommand, epilog=LIST)
def list_nodes(*, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """List the nodes: what they are, what of them is taken, and how many instances run there."""
    with Client(url, token) as client:
        views = client.json("GET", "/api/nodes")
    if as_json:
        show_json(views)
    elif views:
        show_rows(views)
    else:
        say("No node has joined.", "dim")


@app.command("inspect", cls=VerbCommand, epilog=INSPECT)
def inspect(name: NodeName, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Show what parts of workflows may require of a node, and which run there."""
    with Client(url, token) as client:
        view = client.json("GET", f"/api/nodes/{quoted(name)}")
    if as_json:
        show_json(view)
    else:
        show(view)


@app.command("cordon", cls=VerbCommand, epilog=CORDON)
def cordon(name: NodeName, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Place nothing new on a node, neither instances nor sandboxes: the same as `attacca worker cordon`."""
    _cordon(name, url, token, is_on=True, as_json=as_json)


@app.command("uncordon", cls=VerbCommand, epilog=CORDON)
def uncordon(name: NodeName, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Take it back."""
    _cordon(name, url, token, is_on=False, as_json=as_json)


def _cordon(name: str, url: str, token: str, *, is_on: bool, as_json: bool) -> None:
    with Client(url, token) as client:
        client.json("POST", f"/api/nodes/{quoted(name)}/cordon", {"on": is_on})
    if as_json:
        show_json({"node": name, "cordoned": is_on})
    else:
        say(f"{name} {'is given nothing new' if is_on else 'takes its part again'}.", "green")


def show_rows(views: list[dict[str, Any]], width: int | None = None) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("node", "state", "reserved", "instances", "processors", "labels"):
        table.add_column(title, justify="right" if title in ("reserved", "instances", "processors") else "left")
    for view in views:
        state = marked("[yellow]{}[/]", "cordoned") if view["cordoned"] else marked("[green]{}[/]", "ready")
        held = f"{view['reserved_mb']} of {view['memory_mb']} MB"
        machine = view["machine"]
        labels = " ".join(map(visible, machine.get("labels", [])))
        count, processors = str(len(view["instances"])), str(machine.get("processors", 1))
        table.add_row(visible(view["name"]), state, held, count, processors, labels)
    console(width=width).print(table)
    say(counted(len(views), "node"), "dim")


def show(view: dict[str, Any], width: int | None = None) -> None:
    from rich.table import Table

    machine = view["machine"]
    facts = {
        "state": "cordoned" if view["cordoned"] else "ready",
        "for sandboxes": f"{view['reserved_mb']} of {view['memory_mb']} MB reserved",
        "processors": "{} of {} cores, {:g} MHz".format(*map(machine.get, ("processors", "cores", "mhz"), (1, 1, 0))),
        "": visible(machine.get("model", "")),
        "memory": f"{machine.get('memory_mb', 0)} MB",
        "disk": f"{machine.get('disk_mb', 0)} MB",
        "labels": " ".join(map(visible, machine.get("labels", []))),
        "has": " ".join(name for name in ("tee", "tpm") if machine.get(name)),
        "resources": " ".join(map(visible, machine.get("resources") or [])),
        "latency": " ".join(f"{visible(name)} {ms:g} ms" for name, ms in machine.get("latency_ms", {}).items()),
        "instances": "\n".join(map(visible, view["instances"])),
    }
    screen = console(width=width)
    screen.print(marked("[bold cyan]{}[/]", view["name"]))
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in facts.items():
        if value:
            table.add_row(marked("[dim]{}[/]", name), value)
    screen.print(table)
