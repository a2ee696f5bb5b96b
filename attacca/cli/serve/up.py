"""`attacca up`: gateway, control and a worker on this machine, until Ctrl-C."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attacca.cli.options import ConfigFile, Json, StateDir
from attacca.cli.screens.terminal import counted, paint, say, show_json, visible

if TYPE_CHECKING:
    from attacca.cli.serve.configuration import ServerConfig
    from attacca.cli.serve.server import Server

COLLECT = 20_000, 20, 50  # an invocation leaves few cycles behind, and none that matters soon
EXAMPLES = """
attacca up
attacca up --port 9000 --state-dir ./state
attacca up --keepalive lru --set worker.memory_buffer_mb=512
PYTHONPATH=. attacca up --keepalive mypolicies:Oracle  # your own, in mypolicies.py
attacca token create && attacca up --host 0.0.0.0  # for other machines
ATTACCA_WORKER__DRAIN_S=5 attacca up --config attacca.toml
attacca up --port 0 --json  # one line with its address when it is ready
"""
KILLED = 130
SERVER_PANEL, POLICY_PANEL = "Server", "Worker and policies"

Host = Annotated[
    str | None,
    typer.Option("--host", metavar="HOST", help="Where to listen. Default: 127.0.0.1.", rich_help_panel=SERVER_PANEL),
]
Port = Annotated[
    int | None, typer.Option("--port", metavar="PORT", help="Default: 8080; 0 for any.", rich_help_panel=SERVER_PANEL)
]
Public = Annotated[
    bool | None,
    typer.Option(
        "--public", help="Anybody may call functions: no token, any Host, any site.", rich_help_panel=SERVER_PANEL
    ),
]
Isolation = Annotated[
    str | None,
    typer.Option(
        "--isolation", metavar="process|none", help="none: only for code you trust.", rich_help_panel=POLICY_PANEL
    ),
]
Memory = Annotated[
    int | None,
    typer.Option(
        "--memory", metavar="MB", help="For all sandboxes. Default: 75 % of what is free.", rich_help_panel=POLICY_PANEL
    ),
]
MemoryLimits = Annotated[
    str | None,
    typer.Option(
        "--memory-limits",
        metavar="enforce|watch",
        help="watch: start without cgroups, too.",
        rich_help_panel=POLICY_PANEL,
    ),
]
Cores = Annotated[
    int | None, typer.Option("--cores", metavar="N", help="Default: all there are.", rich_help_panel=POLICY_PANEL)
]
Queueing = Annotated[
    str | None,
    typer.Option(
        "--queueing", metavar="POLICY", help="Who is next: a name or module:Class.", rich_help_panel=POLICY_PANEL
    ),
]
Concurrency = Annotated[
    str | None,
    typer.Option("--concurrency", metavar="POLICY", help="How many run at once.", rich_help_panel=POLICY_PANEL),
]
Keepalive = Annotated[
    str | None,
    typer.Option("--keepalive", metavar="POLICY", help="Who is evicted, and when.", rich_help_panel=POLICY_PANEL),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting, as `attacca config` lists them. Repeatable."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="A line for each invocation and deployment.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No banner.")]
Lifeline = Annotated[
    bool, typer.Option("--lifeline", help="Drain when standard input, a pipe, is closed too.", hidden=True)
]
Temporary = Annotated[
    bool, typer.Option("--temporary", help="The state is in a directory of its own that goes with it.", hidden=True)
]


def run(
    *,
    host: Host = None,
    port: Port = None,
    state_dir: StateDir = "",
    public: Public = None,
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
    temporary: Temporary = False,
    as_json: Json = False,
) -> None:
    """Start gateway, control and a worker in one process.

    Ready when /healthz answers 200. Ctrl-C (or SIGTERM) drains: what runs may finish, what waits is refused; a second
    one ends everything at once. Deployed functions survive both, and a kill -9.
    """
    from attacca.cli.serve.configuration import load

    with contextlib.ExitStack() as ending:
        if temporary:
            state_dir = ending.enter_context(tempfile.TemporaryDirectory(prefix="attacca-"))
        flags = {
            "host": (host, "--host"), "port": (port, "--port"), "state_dir": (state_dir or None, "--state-dir"),
            "public": (public, "--public"), "isolation": (isolation, "--isolation"),
            "memory_mb": (memory_mb, "--memory"), "memory_limits": (memory_limits, "--memory-limits"),
            "cores": (cores, "--cores"), "queueing": (queueing, "--queueing"),
            "keepalive": (keepalive, "--keepalive"), "concurrency": (concurrency, "--concurrency"),
        }  # fmt: skip
        config = load(os.environ, file, flags, assignments or []).value
        handler = logging.StreamHandler()
        handler.setFormatter(Visible("%(levelname)s %(name)s: %(message)s"))
        logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])
        import uvloop

        take_open_files()
        greet = greet_as_json if as_json else banner
        watch = tell if verbose and not as_json else None
        code = uvloop.run(serve(config, None if quiet else greet, watch, has_lifeline=lifeline))
    if code:
        raise typer.Exit(code)


def take_open_files() -> None:
    """As many descriptors as we may have: each connection needs one, each sandbox three."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def serve(
    config: "ServerConfig",
    greet: Callable[["Server"], None] | None,
    watch: Callable[[object], None] | None,
    *,
    has_lifeline: bool = False,
) -> int:
    """Until a signal comes, or whoever holds the other end of our standard input is gone; the exit code."""
    from attacca.cli.serve.server import Server
    from attacca.worker.host.watch import no_group

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(report)
    server = Server(config, watch)
    signals = Signals(loop)
    if has_lifeline:
        loop.add_reader(sys.stdin.fileno(), signals.lose_lifeline)
    opening = loop.create_task(server.open())
    if await signals.comes_before(opening):
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        return KILLED
    opening.result()
    try:
        # What exists now stays: modules, the catalogue, the joints between the planes. Out of the collector's sight
        # they are not walked again and again in the middle of invocations, which makes its full rounds short.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT)
        if greet is not None:
            greet(server)
        if warning := no_group(server.info()):
            remark(warning)
        await signals.wait()
        remark("Draining: what runs may finish; Ctrl-C again ends it at once.")
        draining = loop.create_task(server.drain())
        is_killed = await signals.comes_before(draining)
        if is_killed:
            draining.cancel()
        else:
            draining.result()
    finally:
        await server.close()
    remark("Killed." if is_killed else "Stopped; nothing is left running.")
    return KILLED if is_killed else 0


class Signals:
    """SIGINT, SIGTERM and SIGHUP, counted, so that each can be waited for. The third ends us on the spot."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._came = asyncio.Queue[int]()
        self._count = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup means it
                loop.add_signal_handler(number, self._take, number)

    def _take(self, number: int) -> None:
        self._count += 1
        if self._count > 2:
            os._exit(KILLED)
        self._came.put_nowait(number)

    def lose_lifeline(self) -> None:
        self._loop.remove_reader(sys.stdin.fileno())
        self._take(signal.SIGHUP)

    async def wait(self) -> None:
        await self._came.get()

    async def comes_before(self, task: "asyncio.Task[Any]") -> bool:
        """True when a signal comes first; False when the task has ended, well or badly."""
        waiting = asyncio.ensure_future(self._came.get())
        await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return True
        waiting.cancel()
        return False


def report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A failure that nobody waits for must be seen."""
    logging.getLogger("attacca").error("%s", context["message"], exc_info=context.get("exception"))


def greet_as_json(server: "Server") -> None:
    """One line when it is ready, for programs that start it."""
    show_json({"url": server.url, "restored": server.restored, **server.info()})


def banner(server: "Server") -> None:
    from attacca import __version__

    worker, info = server.config.worker, server.info()
    policies = " · ".join(f"{family} {policy}" for family, policy in info["policies"].items())
    many = "" if server.restored == 1 else "s"
    rows = {
        "state": f"{info['state_dir']} · {server.restored} function{many} restored",
        "isolation": isolation(server),
        "worker": f"{worker.memory_mb} MB · {counted(worker.cores, 'core')} · {policies}",
    }
    out = sys.stdout
    lines = [f"{paint('attacca', 'bold cyan', out)} {__version__} is up at {paint(server.url, 'bold', out)}", ""]
    lines += [f"  {paint(f'{label:<10}', 'dim', out)}{text}" for label, text in rows.items()]
    where = "" if server.url == "http://127.0.0.1:8080" else f"export ATTACCA_URL={server.url}"
    tries = [where, "attacca init hello && attacca deploy hello", "attacca invoke hello -a name=bob"]
    lines += ["", *(f"  {paint('$', 'dim', out)} {one}" for one in tries if one), ""]
    lines.append(paint("  Ctrl-C drains and stops.", "dim", out))
    out.write("\n".join(lines) + "\n")
    out.flush()


def isolation(server: "Server") -> str:
    if server.config.process.isolation == "none":
        return paint("none: functions may do whatever you may", "bold red", sys.stdout)
    return f"process · memory held by {server.runtime.limits}"


class Visible(logging.Formatter):
    """What is logged may hold what others wrote: names, paths, tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


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


def remark(text: str) -> None:
    with contextlib.suppress(OSError):
        say(text)
