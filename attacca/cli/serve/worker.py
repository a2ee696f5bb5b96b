"""`attacca worker`: a worker of a cluster, in a process of its own."""

import os
import sys
import time
from typing import Annotated, Any

import typer

from attacca.cli.command import PlaneGroup, Refused, VerbCommand
from attacca.cli.options import DEFAULT_URL, ConfigFile, Json, StateDir, Token, Url
from attacca.cli.screens.terminal import counted, paint, say, show_json
from attacca.cli.serve.lines import log_to_stderr
from attacca.cli.serve.plane_options import Advertise, Certs, ControlAt, Listen, PlaneName, split
from attacca.cli.serve.running import remark
from attacca.cli.serve.running import run as serve
from attacca.cli.serve.up import (
    Assignments,
    Concurrency,
    Cores,
    Host,
    Isolation,
    Keepalive,
    Lifeline,
    Memory,
    MemoryLimits,
    Port,
    Queueing,
    Quiet,
    Verbose,
)

EXAMPLES = """
attacca worker
attacca worker --control 127.0.0.1:7700 --memory 2048
attacca worker --name second --state-dir ./second
"""


CORDON = """
attacca worker cordon w1  # what runs there goes on, and nothing new comes
attacca worker uncordon w1
"""
DRAIN = """
attacca worker drain w1  # then it can be ended, and nobody notices
attacca worker drain w1 --wait 300
"""
app = typer.Typer(
    cls=PlaneGroup,
    help="Start a worker of a cluster; or have one take nothing new.",
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
LOOK_S = 0.2
WorkerName = Annotated[str, typer.Argument(metavar="NAME", help="As `attacca status` shows it.", show_default=False)]


@app.command("run", cls=VerbCommand, epilog=EXAMPLES)
def run(
    *,
    host: Host = None,
    port: Port = None,
    control: ControlAt = None,
    listen: Listen = None,
    advertise: Advertise = None,
    name: PlaneName = None,
    certs: Certs = None,
    state_dir: StateDir = "",
    isolation: Isolation = None,
    memory_mb: Memory = None,
    memory_limits: MemoryLimits = None,
    cores: Cores = None,
    queueing: Queueing = None,
    concurrency: Concurrency = None,
    keepalive: Keepalive = None,
    assignments: Assignments = None,
    file: ConfigFile = "",
    verbose: Verbose = False,
    quiet: Quiet = False,
    lifeline: Lifeline = False,
    as_json: Json = False,
) -> None:
    """Start a worker alone: it joins control, and runs what gateways send it."""
    from attacca.cli.serve.configuration import load

    flags = {
        "host": (host, "--host"), "port": (port, "--port"),
        "state_dir": (state_dir or None, "--state-dir"), "cluster.control": (split(control), "--control"),
        "cluster.listen": (listen, "--listen"), "cluster.advertise": (advertise, "--advertise"),
        "cluster.name": (name, "--name"), "cluster.certs": (certs, "--certs"), "isolation": (isolation, "--isolation"),
        "memory_mb": (memory_mb, "--memory"), "memory_limits": (memory_limits, "--memory-limits"),
        "cores": (cores, "--cores"), "queueing": (queueing, "--queueing"),
        "keepalive": (keepalive, "--keepalive"), "concurrency": (concurrency, "--concurrency"),
    }  # fmt: skip
    config = load(os.environ, file, flags, assignments or [], "worker").value
    from attacca.cli.serve.planes.worker import WorkerPlane
    from attacca.worker.host.watch import no_group

    plane = WorkerPlane(config)
    log_to_stderr(lambda: plane.name, verbose=verbose, is_json=config.log == "json")

    def greet() -> None:
        if as_json:
            show_json(plane.info())
        elif not quiet:
            out, worker = sys.stdout, config.worker
            what = f"{worker.memory_mb} MB · {counted(worker.cores, 'core')}"
            out.write(f"{paint('attacca ' + plane.name, 'bold cyan', out)} has joined · {what}\n")
            out.flush()
        if warning := no_group(plane.info()):
            remark(warning)

    code = serve(plane, greet, has_lifeline=lifeline)
    if code:
        raise typer.Exit(code)


@app.command("cordon", cls=VerbCommand, epilog=CORDON)
def cordon(name: WorkerName, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Give a worker nothing new. It is remembered until the worker ends."""
    _cordon(name, url, token, is_on=True)
    _tell(name, "is given nothing new", as_json=as_json)


@app.command("uncordon", cls=VerbCommand, epilog=CORDON)
def uncordon(name: WorkerName, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Take it back."""
    _cordon(name, url, token, is_on=False)
    _tell(name, "takes its part again", as_json=as_json)


@app.command("drain", cls=VerbCommand, epilog=DRAIN)
def drain(
    name: WorkerName,
    *,
    wait_s: Annotated[float, typer.Option("--wait", metavar="SECONDS", min=0, help="For what runs there.")] = 60.0,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Give a worker nothing new, and wait until nothing runs there any more."""
    _cordon(name, url, token, is_on=True)
    until = time.monotonic() + wait_s  # noqa: TID251 - a person waits for it
    while busy := _busy(name, url, token):
        if time.monotonic() > until:  # noqa: TID251 - a person waits for it
            say(f"{name} has {counted(busy, 'invocation')} still.")
            raise Refused
        time.sleep(LOOK_S)  # noqa: TID251 - a person waits for it
    _tell(name, "has nothing to do any more, and can be ended", as_json=as_json)


def _cordon(name: str, url: str, token: str, *, is_on: bool) -> None:
    from attacca.client.http import Client, quoted

    with Client(url, token) as client:
        client.json("POST", f"/api/workers/{quoted(name)}/cordon", {"on": is_on})


def _busy(name: str, url: str, token: str) -> int:
    """0 too where it is gone."""
    from attacca.client.http import Client

    with Client(url, token) as client:
        views: list[dict[str, Any]] = client.json("GET", "/api/workers")
    return sum(view["running"] + view["queued"] for view in views if view["name"] == name)


def _tell(name: str, what: str, *, as_json: bool) -> None:
    if as_json:
        show_json({"worker": name})
    else:
        say(f"{name} {what}.", "green")
