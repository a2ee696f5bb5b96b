"""`attacca control`: the control plane of a cluster, in a process of its own."""

import os
import sys
import urllib.parse
from typing import Annotated

import typer

from attacca.cli.command import PlaneGroup, VerbCommand, gathered
from attacca.cli.options import DEFAULT_URL, Csv, Json, MaybeName, StateDir, Token, Url
from attacca.cli.screens.terminal import paint, say, show_csv, show_json
from attacca.cli.serve.lines import log_to_stderr
from attacca.cli.serve.plane_options import Federated, Linked, Listening, Member, Started, said
from attacca.cli.serve.running import run as serve

EXAMPLES = """
attacca control  # starts it
attacca control --listen 127.0.0.1:7700 --port 7780
attacca token join  # what gateways and workers show it
export ATTACCA_URL=http://127.0.0.1:7780  # where verbs ask
"""
TRACE = """
attacca control trace hello
attacca control trace --csv > creations.csv  # of all functions
attacca control trace hello --json | jq '.[] | select(.outcome != "up") | .why'
"""
app = typer.Typer(
    cls=PlaneGroup,
    help="Start the control plane of a cluster; or show how sandboxes that it ordered were made.",
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("run", cls=VerbCommand, epilog=EXAMPLES)
@gathered
def run(
    *,
    listening: Listening,
    linked: Linked,
    member: Member,
    federated: Federated,
    state_dir: StateDir = "",
    started: Started,
    as_json: Json = False,
) -> None:
    """Start control alone: the catalogue, the admin API, and a port where gateways and workers join."""
    from attacca.cli.serve.configuration import load

    flags = said(listening, linked, member, federated) | {"state_dir": (state_dir or None, "--state-dir")}
    config = load(os.environ, started.file, flags, started.assignments or [], "control").value
    from attacca.cli.serve.planes.control import ControlPlane

    log_to_stderr(lambda: config.cluster.name or "control", verbose=started.verbose, is_json=config.log == "json")
    plane = ControlPlane(config)

    def greet() -> None:
        if as_json:
            show_json({"url": plane.url, "restored": plane.restored, **plane.info()})
        elif not started.quiet:
            banner(plane.url, plane.link_address)

    code = serve(plane, greet, has_lifeline=started.lifeline)
    if code:
        raise typer.Exit(code)


def banner(url: str, link_address: str) -> None:
    out = sys.stdout
    lines = [f"{paint('attacca control', 'bold cyan', out)} is up at {paint(url, 'bold', out)}", ""]
    lines += [f"  {paint('$', 'dim', out)} export ATTACCA_JOIN_TOKEN=...  # what `attacca token join` prints here"]
    lines += [f"  {paint('$', 'dim', out)} attacca worker --control {link_address}"]
    lines += [f"  {paint('$', 'dim', out)} attacca gateway --control {link_address}", ""]
    lines.append(paint("  Ctrl-C drains and stops.", "dim", out))
    out.write("\n".join(lines) + "\n")
    out.flush()


@app.command("trace", cls=VerbCommand, epilog=TRACE)
def trace(
    name: MaybeName = "",
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, metavar="N", help="At most so many.")] = 20,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """Show how sandboxes were made of functions that control scales, the newest last.

    Times are in milliseconds, in the order in which they pass: from the demand until a worker was chosen (decision),
    the command and its answer on the way (order), waiting for memory on the worker (room), making the sandbox,
    bringing the code and importing it, after which it is ready, and until all gateways know of it (propagation).
    """
    from attacca.cli.screens.creations import show
    from attacca.client.http import Client, quoted
    from attacca.kernel.clock import SystemClock

    query = urllib.parse.urlencode({**({"function": name} if name else {}), "limit": limit})
    with Client(url, token) as client:
        rows = client.json("GET", f"/api/creations?{query}")
        if name and not rows:
            client.json("GET", f"/api/functions/{quoted(name)}")  # if it does not exist, that is what there is to say
    if as_json:
        show_json(rows)
    elif as_csv:
        show_csv(rows)
    elif rows:
        show(rows, SystemClock().wall())
    else:
        say(f"Control has had no sandbox made{' of ' + name if name else ''} yet.")
        say('  Try: scheduling = "cluster" in function.toml, and deploy')
