"""`attacca control`: the control plane of a cluster, in a process of its own."""

import os
import sys

import typer

from attacca.cli.options import ConfigFile, Json, StateDir
from attacca.cli.screens.terminal import paint, show_json
from attacca.cli.serve.plane_options import Advertise, Certs, Listen, PlaneName
from attacca.cli.serve.running import log_to_stderr
from attacca.cli.serve.running import run as serve
from attacca.cli.serve.up import Assignments, Host, Lifeline, Port, Quiet, Verbose

EXAMPLES = """
attacca control
attacca control --listen 127.0.0.1:7700 --port 7780
attacca token join  # what gateways and workers show it
export ATTACCA_URL=http://127.0.0.1:7780  # where verbs ask
"""


def run(
    *,
    host: Host = None,
    port: Port = None,
    listen: Listen = None,
    advertise: Advertise = None,
    name: PlaneName = None,
    certs: Certs = None,
    state_dir: StateDir = "",
    assignments: Assignments = None,
    file: ConfigFile = "",
    verbose: Verbose = False,
    quiet: Quiet = False,
    lifeline: Lifeline = False,
    as_json: Json = False,
) -> None:
    """Start control alone: the catalogue, the admin API, and a port where gateways and workers join."""
    from attacca.cli.serve.configuration import load

    flags = {
        "host": (host, "--host"), "port": (port, "--port"), "state_dir": (state_dir or None, "--state-dir"),
        "cluster.listen": (listen, "--listen"), "cluster.advertise": (advertise, "--advertise"),
        "cluster.name": (name, "--name"), "cluster.certs": (certs, "--certs"),
    }  # fmt: skip
    config = load(os.environ, file, flags, assignments or [], "control").value
    log_to_stderr(verbose=verbose)
    from attacca.cli.serve.planes.control import ControlPlane

    plane = ControlPlane(config)

    def greet() -> None:
        if as_json:
            show_json({"url": plane.url, "restored": plane.restored, **plane.info()})
        elif not quiet:
            banner(plane.url, plane.link_address)

    code = serve(plane, greet, has_lifeline=lifeline)
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
