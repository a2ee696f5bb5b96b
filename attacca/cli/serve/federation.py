"""`attacca federation`: the controller of several domains, in a process of its own."""

import os
import sys

import typer

from attacca.cli.command import gathered
from attacca.cli.options import Json, StateDir
from attacca.cli.screens.terminal import paint, show_json
from attacca.cli.serve.lines import log_to_stderr
from attacca.cli.serve.plane_options import Linked, Listening, Member, Started, said
from attacca.cli.serve.running import run as serve

EXAMPLES = """
attacca federation  # starts it
attacca up --port 8081 --domain home --federation 127.0.0.1:7900  # a domain joins it
export ATTACCA_URL=http://127.0.0.1:7980
attacca domain list
attacca workflow start workflow.toml  # in the domain that fits
"""


@gathered
def run(
    *,
    listening: Listening,
    linked: Linked,
    member: Member,
    state_dir: StateDir = "",
    started: Started,
    as_json: Json = False,
) -> None:
    """Start the controller of a federation: domains join it, and it decides in which of them a workflow runs."""
    from attacca.cli.serve.configuration import load

    flags = said(listening, linked, member) | {"state_dir": (state_dir or None, "--state-dir")}
    config = load(os.environ, started.file, flags, started.assignments or [], "federation").value
    from attacca.cli.serve.planes.control import ControlPlane
    from attacca.cli.serve.planes.federating import OfFederation

    log_to_stderr(lambda: config.cluster.name or "federation", verbose=started.verbose, is_json=config.log == "json")
    plane = ControlPlane(config, OfFederation())

    def greet() -> None:
        if as_json:
            show_json({"url": plane.url, **plane.info()})
        elif not started.quiet:
            banner(plane.url, plane.link_address)

    code = serve(plane, greet, has_lifeline=started.lifeline)
    if code:
        raise typer.Exit(code)


def banner(url: str, link_address: str) -> None:
    out = sys.stdout
    lines = [f"{paint('attacca federation', 'bold cyan', out)} is up at {paint(url, 'bold', out)}", ""]
    lines += [f"  {paint('$', 'dim', out)} attacca up --domain NAME --federation {link_address}"]
    lines += [f"  {paint('$', 'dim', out)} attacca workflow start workflow.toml --url {url}", ""]
    lines.append(paint("  Ctrl-C drains and stops.", "dim", out))
    out.write("\n".join(lines) + "\n")
    out.flush()
