"""`attacca up`: gateway, control and a worker on this machine, until Ctrl-C."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from attacca.cli.command import gathered
from attacca.cli.options import Json, StateDir
from attacca.cli.screens.terminal import counted, paint, show_json
from attacca.cli.serve.lines import log_to_stderr, watcher
from attacca.cli.serve.plane_options import Federated, Listening, Public, Started, Working, said
from attacca.cli.serve.running import remark
from attacca.cli.serve.running import run as serve

if TYPE_CHECKING:
    import socket

    from attacca.cli.serve.configuration import ServerConfig
    from attacca.cli.serve.planes.supervisor import Supervisor
    from attacca.cli.serve.server import Server

EXAMPLES = """
attacca up
attacca up --port 9000 --state-dir ./state
attacca up --keepalive lru --set worker.memory_buffer_mb=512
PYTHONPATH=. attacca up --keepalive mypolicies:Oracle  # your own, in mypolicies.py
attacca token create && attacca up --host 0.0.0.0  # for other machines
ATTACCA_WORKER__DRAIN_S=5 attacca up --config attacca.toml
attacca up --workers 3 --gateways 2  # each in a process of its own, started anew when it dies
attacca up --workers 2 --gateways 2  # one of both in a process, for as many invocations as the processors give
attacca up --port 0 --json  # one line with its address when it is ready
"""
FOR_ALL = (
    "public", "isolation", "memory_limits", "queueing", "concurrency", "keepalive", "workflows.domain",
    "federation.join",
)  # fmt: skip

Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, help="In processes of their own.", rich_help_panel="Planes apart"),
]
Gateways = Annotated[
    int | None,
    typer.Option("--gateways", metavar="N", min=1, help="They share the port.", rich_help_panel="Planes apart"),
]
Apart = Annotated[
    bool,
    typer.Option("--apart", help="No gateway shares a process with a worker.", rich_help_panel="Planes apart"),
]
Temporary = Annotated[
    bool, typer.Option("--temporary", help="The state is in a directory of its own that goes with it.", hidden=True)
]


@gathered
def run(
    *,
    listening: Listening,
    state_dir: StateDir = "",
    public: Public = None,
    working: Working,
    federated: Federated,
    workers: Workers = None,
    gateways: Gateways = None,
    is_apart: Apart = False,
    started: Started,
    temporary: Temporary = False,
    as_json: Json = False,
) -> None:
    """Start gateway, control and a worker in one process; with --workers or --gateways, in several.

    Each plane is then in a process of its own; where there are as many gateways as workers, each gateway shares one
    with a worker, unless --apart.

    Ready when /healthz answers 200. Ctrl-C (or SIGTERM) drains: what runs may finish, what waits is refused; a second
    one ends everything at once. Deployed functions survive both, and a kill -9.
    """
    from attacca.cli.serve.configuration import load

    with contextlib.ExitStack() as ending:
        if temporary:
            state_dir = ending.enter_context(tempfile.TemporaryDirectory(prefix="attacca-"))
        flags = said(listening, working, federated)
        flags |= {"state_dir": (state_dir or None, "--state-dir"), "public": (public, "--public")}
        settled = load(os.environ, started.file, flags, started.assignments or []).value
        is_json = settled.log == "json"
        log_to_stderr(lambda: "up", verbose=started.verbose, is_json=is_json)
        from attacca.cli.serve.handed import handed, placed

        given = handed(os.environ)
        config = placed(settled, given)
        if workers is not None or gateways is not None:
            words = [*passed_on(flags), *(["--config", started.file] if started.file else [])]
            words += ["--verbose"] if started.verbose else []
            plane = apart(
                config, workers or 1, gateways or 1, words, started.assignments or [], given, is_paired=not is_apart
            )
            greet = partial(greet_apart, plane, as_json=as_json, quiet=started.quiet)
            code = serve(plane, greet, has_lifeline=started.lifeline)
        else:
            from attacca.cli.serve.server import Server

            shown = watcher() if is_json else tell if started.verbose and not as_json else None
            server = Server(config, shown, given)
            hail = nothing if started.quiet else greet_as_json if as_json else banner
            code = serve(server, partial(welcome, server, hail), has_lifeline=started.lifeline)
    if code:
        raise typer.Exit(code)


def passed_on(flags: Mapping[str, tuple[object, str]]) -> list[str]:
    """Those that mean the same to every plane, as assignments."""
    given = [(key, flags[key][0]) for key in FOR_ALL if key in flags and flags[key][0] is not None]
    return [f"--set={key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in given]


def apart(
    config: "ServerConfig",
    workers: int,
    gateways: int,
    said: list[str],
    assignments: list[str],
    handed: "socket.socket | None",
    *,
    is_paired: bool = False,
) -> "Supervisor":
    from attacca.cli.serve.planes.supervisor import Supervisor, for_all

    return Supervisor(config, workers, gateways, [*said, *for_all(assignments)], handed, is_paired=is_paired)


def greet_apart(plane: "Supervisor", *, as_json: bool, quiet: bool) -> None:
    info = plane.info()
    if as_json:
        show_json({"url": plane.url, "restored": plane.restored, **info})
    elif not quiet:
        out = sys.stdout
        lines = [f"{paint('attacca', 'bold cyan', out)} is up at {paint(plane.url, 'bold', out)}", ""]
        lines += [f"  {name:<12} {paint(f'process {pid}', 'dim', out)}" for name, pid in info["planes"].items()]
        lines += ["", f"  {'dashboard':<12} {info['admin']}/ui"] if info.get("admin") else []
        lines += ["", paint("  Ctrl-C drains and stops all of them.", "dim", out)]
        out.write("\n".join(lines) + "\n")
        out.flush()


def welcome(server: "Server", greet: Callable[["Server"], None]) -> None:
    from attacca.worker.host.watch import no_group

    greet(server)
    if warning := no_group(server.info()):
        remark(warning)


def nothing(_: "Server") -> None:
    """With --quiet."""


def greet_as_json(server: "Server") -> None:
    """One line when it is ready, for programs that start it."""
    show_json({"url": server.url, "restored": server.restored, **server.info()})


def banner(server: "Server") -> None:
    from attacca import __version__

    worker, info = server.config.worker, server.info()
    policies = " · ".join(f"{family} {policy}" for family, policy in info["policies"].items())
    many = "" if server.restored == 1 else "s"
    rows = {
        "dashboard": f"{server.url}/ui",
        "state": f"{info['state_dir']} · {server.restored} function{many} restored",
        "isolation": isolation(server),
        "worker": f"{worker.memory_mb} MB · {counted(worker.cores, 'core')} · {policies}",
    }
    out = sys.stdout
    lines = [f"{paint('attacca', 'bold cyan', out)} {__version__} is up at {paint(server.url, 'bold', out)}", ""]
    lines += [f"  {paint(f'{label:<10}', 'dim', out)}{text}" for label, text in rows.items()]
    where = "" if server.url == "http://127.0.0.1:8080" else f"export ATTACCA_URL={server.url}"
    tries = [where, "attacca init hello && attacca deploy hello", "attacca invoke hello -a name=bob"]
    lines += ["", *(f"  {paint('$', 'dim', out)} {example}" for example in tries if example), ""]
    lines.append(paint("  Ctrl-C drains and stops.", "dim", out))
    out.write("\n".join(lines) + "\n")
    out.flush()


def isolation(server: "Server") -> str:
    if server.config.process.isolation == "none":
        return paint("none: functions may do whatever you may", "bold red", sys.stdout)
    return f"process · memory held by {server.runtime.limits}"


def tell(event: object) -> None:
    """A line for an event, with --verbose."""
    from attacca.cli.screens.terminal import STARTS, milliseconds
    from attacca.model.invocation import Call
    from attacca.model.messages import Deleted, Deployed

    match event:
        case Call():
            start = event.start.value if event.start is not None else "-"
            status = paint(str(event.status), "green" if event.status < 400 else "red", sys.stdout)
            kind = paint(f"{start:<9}", STARTS.get(start, "dim"), sys.stdout)
            line = f"{status} {event.function} {kind} {milliseconds(event.total_ms)} ms {event.id}"
            line += f" {paint(event.outcome, 'red', sys.stdout)}" if event.outcome != "ok" else ""
        case Deployed():
            line = f"deployed {event.revision.id} ({event.revision.handler})"
        case Deleted():
            line = f"deleted {event.function}"
        case _:
            return
    with contextlib.suppress(OSError):  # a terminal that has gone must not end an invocation
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
