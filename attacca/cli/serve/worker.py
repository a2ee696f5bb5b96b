"""`attacca worker`: a worker of a cluster, in a process of its own."""

import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attacca.cli.command import PlaneGroup, Refused, VerbCommand, gathered
from attacca.cli.options import DEFAULT_URL, Json, StateDir, Token, Url
from attacca.cli.screens.terminal import counted, paint, say, show_json
from attacca.cli.serve.lines import log_to_stderr
from attacca.cli.serve.plane_options import ControlAt, Linked, Listening, Member, Started, Working, said, split
from attacca.cli.serve.running import remark
from attacca.cli.serve.running import run as serve

if TYPE_CHECKING:
    from attacca.cli.serve.planes.pair import Pair
    from attacca.cli.serve.planes.worker import WorkerPlane

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
STATS = """
attacca worker stats
attacca worker stats w1 --json | jq '.w1[-1].load.pressure'
attacca worker stats w1 --json | jq '.w1[-1] | .energy.watts, .devices[].share'
"""
CLEAN = """
attacca worker clean
"""
app = typer.Typer(
    cls=PlaneGroup,
    help="Start a worker of a cluster; or have one take nothing new.",
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
LOOK_S = 0.2
GatewayBeside = Annotated[str, typer.Option("--gateway", help="Of this name, in the same process.", hidden=True)]
WorkerName = Annotated[str, typer.Argument(metavar="NAME", help="As `attacca status` shows it.", show_default=False)]


@app.command("run", cls=VerbCommand, epilog=EXAMPLES)
@gathered
def run(
    *,
    listening: Listening,
    control: ControlAt = None,
    linked: Linked,
    member: Member,
    state_dir: StateDir = "",
    working: Working,
    started: Started,
    gateway: GatewayBeside = "",
    as_json: Json = False,
) -> None:
    """Start a worker alone: it joins control, and runs what gateways send it."""
    from attacca.cli.serve.configuration import load

    flags = said(listening, linked, member, working)
    flags |= {"state_dir": (state_dir or None, "--state-dir"), "cluster.control": (split(control), "--control")}
    config = load(os.environ, started.file, flags, started.assignments or [], "worker").value
    from attacca.cli.serve.planes.worker import WorkerPlane
    from attacca.worker.host.watch import no_group

    plane = WorkerPlane(config, gateway)
    whole = plane if not gateway else paired(plane, gateway)
    name = (lambda: f"{gateway}+{plane.name}") if gateway else (lambda: plane.name)
    log_to_stderr(name, verbose=started.verbose, is_json=config.log == "json")

    def greet() -> None:
        if as_json:
            show_json(plane.info())
        elif not started.quiet:
            out, worker = sys.stdout, config.worker
            what = f"{worker.memory_mb} MB · {counted(worker.cores, 'core')}"
            out.write(f"{paint('attacca ' + plane.name, 'bold cyan', out)} has joined · {what}\n")
            out.flush()
        if warning := no_group(plane.info()):
            remark(warning)

    code = serve(whole, greet, has_lifeline=started.lifeline)
    if code:
        raise typer.Exit(code)


def paired(worker: "WorkerPlane", gateway: str) -> "Pair":
    """With a gateway of that name, which listens where `attacca up` has it listen."""
    from attacca.cli.serve.handed import handed, placed
    from attacca.cli.serve.planes.gateway import GatewayPlane
    from attacca.cli.serve.planes.pair import Pair, Within, of_gateway

    given = handed(os.environ)
    config = of_gateway(placed(worker.config, given), gateway)
    return Pair(worker, GatewayPlane(config, given, partial(Within, worker)))


@app.command("cordon", cls=VerbCommand, epilog=CORDON)
def cordon(name: WorkerName, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Give a worker nothing new, also when it is started anew, until it is taken back."""
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
    """Give a worker nothing new, and wait until nothing runs there any more. `uncordon` takes it back."""
    _cordon(name, url, token, is_on=True)
    until = time.monotonic() + wait_s  # noqa: TID251 - a person waits for it
    while busy := _busy(name, url, token):
        if time.monotonic() > until:  # noqa: TID251 - a person waits for it
            say(f"{name} has {counted(busy, 'invocation')} still.")
            raise Refused
        time.sleep(LOOK_S)  # noqa: TID251 - a person waits for it
    _tell(name, "has nothing to do any more, and can be ended", as_json=as_json)


@app.command("stats", cls=VerbCommand, epilog=STATS)
def stats(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Of this one alone.", show_default=False)] = "",
    *,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Show how busy the machines of workers are, and have been in the last minute.

    Besides, their accelerators as they are now, and what the machines spend, where that is measured; with --json in the
    last look.
    """
    from attacca.cli.screens.machines import lines
    from attacca.client.http import Client, quoted

    with Client(url, token) as client:
        views = {view["name"]: view for view in client.json("GET", "/api/workers?function=")}
        names = [name] if name else list(views)
        loads = {one: client.json("GET", f"/api/workers/{quoted(one)}/loads") for one in names}
    for one in names:
        if loads[one]:
            loads[one][-1] |= {key: views.get(one, {}).get(key) for key in ("devices", "energy")}
    if as_json:
        show_json(loads)
    else:
        sys.stdout.writelines(f"{line}\n" for one in names for line in lines(one, loads[one]))


@app.command("clean", cls=VerbCommand, epilog=CLEAN)
def clean(*, as_json: Json = False) -> None:
    """Remove from this machine what servers and workers left behind that no longer run: cgroups, what containers
    lay in, what led out of sandboxes, and monitors of micro-VMs. The next server that starts does so too."""
    from attacca.worker.host.hierarchy import sweep
    from attacca.worker.host.nat.claims import clean as clean_ways_out
    from attacca.worker.runtime.container.keeping import clean as clean_containers
    from attacca.worker.runtime.microvm.firecracker.room import clean as clean_monitors

    monitors = clean_monitors()
    containers, ways_out, groups = clean_containers(), clean_ways_out(), sweep()
    if as_json:
        show_json({"containers_of": containers, "ways_out_of": ways_out, "monitors": monitors, "cgroups": groups})
    else:
        what = f"the containers of {counted(containers, 'server')}, the ways out of {counted(ways_out, 'server')}"
        say(f"Removed {what}, {counted(monitors, 'monitor')} of micro-VMs, and {counted(groups, 'cgroup')}.", "green")


def _cordon(name: str, url: str, token: str, *, is_on: bool) -> None:
    from attacca.client.http import Client, quoted

    with Client(url, token) as client:
        client.json("POST", f"/api/workers/{quoted(name)}/cordon", {"on": is_on})


def _busy(name: str, url: str, token: str) -> int:
    """0 too where it is gone."""
    from attacca.client.http import Client

    with Client(url, token) as client:
        views: list[dict[str, Any]] = client.json("GET", "/api/workers?function=")
    return sum(view["running"] + view["queued"] for view in views if view["name"] == name)


def _tell(name: str, what: str, *, as_json: bool) -> None:
    if as_json:
        show_json({"worker": name})
    else:
        say(f"{name} {what}.", "green")
