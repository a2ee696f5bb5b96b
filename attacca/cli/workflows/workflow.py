"""`attacca workflow`: graphs of event functions and resources, started, looked at, moved and stopped."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from attacca.cli.command import VerbCommand, VerbGroup
from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screens.graph import drawn
from attacca.cli.screens.terminal import console, counted, marked, milliseconds, put, say, show_json, visible
from attacca.cli.workflows import bench
from attacca.client.http import Client, quoted
from attacca.errors import BadConfig

app = typer.Typer(
    cls=VerbGroup,
    help="Start, list, inspect, move and stop workflows: event functions and resources that send each other events.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
START = """
attacca workflow start workflow.toml
attacca workflow start ./pipeline  # a directory with a workflow.toml
attacca workflow start workflow.json  # of EDGELESS
attacca workflow start workflow.toml --json | jq -r .id
"""
LIST = "attacca workflow list --json | jq -r '.[].id'"
INSPECT = "attacca workflow inspect demo"
STOP = "attacca workflow stop demo"
MIGRATE = """
attacca workflow migrate demo --component counter --to worker-2
attacca workflow migrate demo --to worker-2  # all of it
attacca workflow migrate demo --component counter --to worker-2 --to worker-3  # the first that can have it
"""
LOGS = """
attacca workflow logs demo
attacca workflow logs demo --component counter -f  # until Ctrl-C
"""
GRAPH = """
attacca workflow graph demo
attacca workflow graph demo --svg demo.svg
"""
PathOf = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A workflow.toml, a workflow.json of EDGELESS, or a directory with one.",
        show_default=False,
    ),
]
Which = Annotated[str, typer.Argument(metavar="ID", help="Its id, or its name.", show_default=False)]
Only = Annotated[str, typer.Option("--component", metavar="NAME", help="Of one component.", show_default=False)]
To = Annotated[list[str], typer.Option("--to", metavar="NODE|DOMAIN", help="Where to. Repeatable.", show_default=False)]
Svg = Annotated[str, typer.Option("--svg", metavar="FILE", help="As a picture, in this file.", show_default=False)]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")]
COLOURS = {"up": "green", "starting": "yellow", "waiting": "red"}


@app.command("start", cls=VerbCommand, epilog=START)
def start(path: PathOf, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Upload the code of a workflow, and start it. Ready when the init of every function has returned."""
    from attacca.client.workflow_file import read
    from attacca.client.workflows import started

    source = read(Path(path))
    for note in source.notes:
        say(note, "dim")
    with Client(url, token) as client:
        view = started(client, source, say_step if not as_json else nothing)
    if as_json:
        show_json(view)
    else:
        show(view)


@app.command("list", cls=VerbCommand, epilog=LIST)
def list_workflows(*, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """List the workflows that run, in the order in which they were started."""
    with Client(url, token) as client:
        views = client.json("GET", "/api/workflows")
    if as_json:
        show_json(views)
    elif views:
        show_rows(views)
    else:
        say("No workflow runs: attacca workflow start FILE", "dim")


@app.command("inspect", cls=VerbCommand, epilog=INSPECT)
def inspect(workflow: Which, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Show where each component of a workflow runs, how often it was started, and what went wrong last."""
    view = fetched(workflow, url, token)
    if as_json:
        show_json(view)
    else:
        show(view)


@app.command("stop", cls=VerbCommand, epilog=STOP)
def stop(workflow: Which, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Stop a workflow: each instance ends what it handles, then its stop is called."""
    with Client(url, token) as client:
        client.json("DELETE", f"/api/workflows/{quoted(workflow)}")
    if as_json:
        show_json({"stopped": workflow})
    else:
        say(f"Stopped {workflow}.", "green")


@app.command("migrate", cls=VerbCommand, epilog=MIGRATE)
def migrate(
    workflow: Which, *, to: To, component: Only = "", url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False
) -> None:
    """Move a component of a workflow, or all of it, to another node; at a federation, to another domain.

    It goes on with its state.
    """
    with Client(url, token) as client:
        asked = {"to": to, "component": component}
        view: dict[str, Any] = client.json("POST", f"/api/workflows/{quoted(workflow)}/migrate", asked)
    if as_json:
        show_json(view)
    else:
        show(view)


@app.command("logs", cls=VerbCommand, epilog=LOGS)
def logs(
    workflow: Which, *, component: Only = "", follow: Follow = False, url: Url = DEFAULT_URL, token: Token = "",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Show what the functions of a workflow wrote, and what its resources could not do."""
    from attacca.cli.watch.logs import rendered, show_raw

    query = "&".join([f"component={quoted(component)}"] * bool(component) + ["follow=true"] * follow)
    with Client(url, token) as client:
        try:
            for line in client.lines("GET", f"/api/workflows/{quoted(workflow)}/logs{'?' + query if query else ''}"):
                if as_json:
                    show_raw(line)
                else:
                    put(rendered(line, sys.stdout))
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


@app.command("graph", cls=VerbCommand, epilog=GRAPH)
def graph(workflow: Which, *, svg: Svg = "", url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Draw a workflow: what sends to whom, and by which output."""
    view = fetched(workflow, url, token)
    edges = [
        (one["name"], channel, target)
        for one in view["spec"]["components"]
        for channel, output in one.get("outputs", {}).items()
        for target in output["to"]
    ]
    if as_json:
        show_json([{"from": source, "output": channel, "to": target} for source, channel, target in edges])
        return
    placed = domains(view)
    parts = view["spec"]["components"]
    shown = {one["name"]: " in ".join(filter(None, (one["name"], placed.get(one["name"])))) for one in parts}
    names = {shown[one["name"]]: bool(one.get("resource")) for one in parts}
    edges = [(shown[source], channel, shown[target]) for source, channel, target in edges]
    if svg:
        keep(svg, names, edges)
        return
    for line in drawn(names, edges):
        put(line)


def domains(view: dict[str, Any]) -> dict[str, str]:
    """Of a workflow that is in several domains, where each component is that is in another than the one asked."""
    return {row["component"].partition("~")[0]: row["domain"] for row in view["instances"] if row.get("domain")}


def keep(svg: str, names: dict[str, bool], edges: list[tuple[str, str, str]]) -> None:
    """
    Raises:
        BadConfig: it cannot be written there.
    """
    from attacca.cli.screens.picture import picture

    try:
        Path(svg).write_text(picture(names, edges))
    except OSError as error:
        raise BadConfig(f"{svg} cannot be written: {error.strerror}", "name a file in a directory of yours") from None
    say(f"written to {svg}")


app.command("bench", cls=VerbCommand, epilog=bench.BENCH)(bench.bench)


def fetched(workflow: str, url: str, token: str) -> dict[str, Any]:
    with Client(url, token) as client:
        view: dict[str, Any] = client.json("GET", f"/api/workflows/{quoted(workflow)}")
    return view


def say_step(text: str) -> None:
    console(stderr=True).print(marked("[dim]{}[/]", text))


def nothing(_: str) -> None:
    """With --json."""


def show(view: dict[str, Any], width: int | None = None) -> None:
    from rich.table import Table

    screen = console(width=width)
    screen.print(marked("[bold cyan]{}[/] [dim]{}[/]", view["name"], view["id"]))
    if view.get("stage"):
        where = f" in {visible(view['domain'])}" if view["domain"] else ""
        screen.print(marked("{} [dim]{}[/]", view["stage"] + where, view["why"]))
    table = Table(box=None, pad_edge=False, header_style="dim")
    is_of_several = bool(domains(view))
    figures = ("starts", "handled", "failed", "mean ms", "waiting")
    for title in ("component", "state", *(("domain",) * is_of_several), "worker", *figures, ""):
        table.add_column(title, justify="right" if title in figures else "left")
    for row in view["instances"]:
        colour = COLOURS.get(row["state"], "")
        state = marked(f"[{colour}]{{}}[/]" if colour else "{}", row["state"])
        remarks = marked("[yellow]{}[/][red]{}[/]", pressure(row.get("seen")), row["why"])
        at = [visible(row["domain"])] * is_of_several
        starts = str(row["starts"])
        table.add_row(row["component"], state, *at, row["worker"], starts, *numbers(row.get("seen")), remarks)
    screen.print(table)


def numbers(seen: dict[str, Any] | None) -> tuple[str, str, str, str]:
    """Events that an instance has handled, of these failed, the mean time of one, and those that wait for it."""
    if seen is None:
        return "", "", "", ""
    handled = seen["handled"]
    mean = milliseconds(seen["handled_s"] / handled * 1e3) if handled else ""
    return str(handled), str(seen["failed"] or ""), mean, str(seen["waiting"])


def pressure(seen: dict[str, Any] | None) -> str:
    if seen is None:
        return ""
    said = ["far behind: who sends to it waits"] * seen["is_behind"] + ["waits for who it sends to"] * seen["is_paused"]
    said += [f"{counted(seen['dropped'], 'event')} dropped"] * (seen["dropped"] > 0)
    return ", ".join(said) + ". " if said else ""


def show_rows(views: list[dict[str, Any]], width: int | None = None) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    is_of_several = any(view.get("stage") for view in views)
    for title in ("workflow", "id", "components", "up", *(("domain",) * is_of_several)):
        table.add_column(title, justify="right" if title in ("components", "up") else "left")
    for view in views:
        up = sum(row["state"] == "up" for row in view["instances"])
        placed = ", ".join(sorted(set(domains(view).values()))) or view["domain"] or view["stage"]
        where = (placed,) if is_of_several else ()
        table.add_row(view["name"], view["id"], str(len(view["instances"])), str(up), *map(visible, where))
    console(width=width).print(table)
    say(counted(len(views), "workflow"), "dim")
