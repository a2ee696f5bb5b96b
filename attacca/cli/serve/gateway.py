"""`attacca gateway`: a gateway of a cluster, in a process of its own."""

import os
import sys

import typer

from attacca.cli.command import gathered
from attacca.cli.options import Json
from attacca.cli.screens.terminal import paint, show_json
from attacca.cli.serve.lines import log_to_stderr
from attacca.cli.serve.plane_options import ControlAt, Listening, Member, Public, Started, said, split
from attacca.cli.serve.running import run as serve

EXAMPLES = """
attacca gateway
attacca gateway --control 127.0.0.1:7700 --port 8080
attacca gateway --set gateway.balancing=two_choices
"""


@gathered
def run(
    *,
    listening: Listening,
    public: Public = None,
    control: ControlAt = None,
    member: Member,
    started: Started,
    as_json: Json = False,
) -> None:
    """Start a gateway alone: it takes invocations, and hands them to the workers that control names."""
    from attacca.cli.serve.configuration import load

    flags = said(listening, member)
    flags |= {"public": (public, "--public"), "cluster.control": (split(control), "--control")}
    config = load(os.environ, started.file, flags, started.assignments or [], "gateway").value
    from attacca.cli.serve.handed import handed, placed
    from attacca.cli.serve.planes.gateway import GatewayPlane

    given = handed(os.environ)
    plane = GatewayPlane(placed(config, given), given)
    log_to_stderr(lambda: plane.name, verbose=started.verbose, is_json=config.log == "json")

    def greet() -> None:
        if as_json:
            show_json({"url": plane.url, **plane.info()})
        elif not started.quiet:
            out = sys.stdout
            out.write(f"{paint('attacca ' + plane.name, 'bold cyan', out)} is up at {paint(plane.url, 'bold', out)}\n")
            out.flush()

    code = serve(plane, greet, has_lifeline=started.lifeline)
    if code:
        raise typer.Exit(code)
