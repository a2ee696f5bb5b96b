"""`attacca doctor`: what this machine can do for isolation, what is missing, and what to do about it."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from attacca.cli.command import Refused
from attacca.cli.options import ConfigFile, Json, StateDir
from attacca.cli.screens.terminal import console, marked, show_json, visible
from attacca.cores import ASKED, PYTHON, are_compiled, changed

if TYPE_CHECKING:
    from attacca.worker.host.energy.options import EnergyConfig
    from attacca.worker.runtime.container.options import ContainerOptions
    from attacca.worker.runtime.kubernetes.options import KubernetesOptions

EXAMPLES = """
attacca doctor
attacca doctor --json | jq '.[] | select(.ok | not)'
"""


class Check(NamedTuple):
    """One thing looked at. `needed`: `attacca up` cannot do without it."""

    name: str
    ok: bool
    detail: str
    hint: str = ""
    needed: bool = False


def run(
    *,
    state_dir: StateDir = "",
    port: Annotated[
        int | None, typer.Option("--port", metavar="PORT", help="Default: the one that `up` would use.")
    ] = None,
    certs: Annotated[
        str | None, typer.Option("--certs", metavar="DIR", help="How long a plane's certificates are good, too.")
    ] = None,
    file: ConfigFile = "",
    as_json: Json = False,
) -> None:
    """Check this machine: Python, kernel, each isolation, libraries, state directory, port.

    Exits with 1 when something is missing that `attacca up` needs.
    """
    from attacca.cli.serve.configuration import load
    from attacca.kernel.clock import SystemClock
    from attacca.worker.host.isolation import examine

    flags = {
        "state_dir": (state_dir or None, "--state-dir"),
        "port": (port, "--port"),
        "cluster.certs": (certs, "--certs"),
    }
    settings = load(os.environ, file, flags).value
    ours = our_own(Path(settings.control.state_dir).expanduser(), settings.gateway.port)
    ours.append(accelerators(settings.container))
    features = examine(is_watch_enough=settings.process.memory_limits == "watch")
    ours += [kubernetes(settings.kubernetes), *energy(settings.energy)]
    ours += certificates(settings.cluster.certs, SystemClock().wall())
    checks = [*(Check(f.name, f.ok, f.detail, f.hint, f.needed) for f in features), *ours]
    if as_json:
        show_json([check._asdict() for check in checks])
    else:
        show(checks)
    if any(check.needed and not check.ok for check in checks):
        raise Refused


def show(checks: Iterable[Check], width: int | None = None) -> None:
    from rich.table import Table

    checks = list(checks)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        table.add_row(_mark(check), check.name, _explained(check))
    screen = console(width=width)
    screen.print(table)
    missing = [check.name for check in checks if not check.ok and check.needed]
    weaker = [check.name for check in checks if not check.ok and not check.needed]
    screen.print()
    if missing:
        what = "[bold red]Missing:[/] {}. attacca up does not start without."
        screen.print(marked(what, ", ".join(missing)))
        hint = "[bold green]Try:[/] what stands beside each; or attacca up --isolation none, for code you trust"
        screen.print(marked(hint))
    elif weaker:
        screen.print(marked("[bold green]Ready.[/] Weaker than it could be: {}.", ", ".join(weaker)))
    else:
        screen.print(marked("[bold green]Ready.[/] Everything is here."))


def our_own(state_dir: Path, port: int) -> list[Check]:
    runtimes = [_wasmtime(), _containers(), _microvms()]
    machine = [_libraries(), _pip(), *runtimes, _ways_out(), _cores()]
    return [*machine, _state_dir(state_dir), _port(port)]


def accelerators(options: "ContainerOptions") -> Check:
    """What a function's `gpu` can be given here; that there is nothing is no fault."""
    from attacca.worker.host.accelerators import found
    from attacca.worker.host.cdi import kinds, read

    devices = found()
    names = [f"{one.model} ({one.memory_mb} MB)" for one in devices or ()]
    names += [f"{kind} for containers: {' '.join(named)}" for kind, named in kinds(read(options.cdi_dirs)).items()]
    nothing = "none: neither NVIDIA's library nor nvidia-smi answers" if devices is None else "none is listed"
    return Check("accelerators", ok=True, detail=", ".join(names) or nothing)


def kubernetes(options: "KubernetesOptions") -> Check:
    """That there is no cluster is no fault, unless the settings name one."""
    from attacca.worker.runtime.kubernetes.looked import look

    found = look(options)
    return Check("kubernetes", found.is_fine, found.detail, found.hint)


def energy(config: "EnergyConfig") -> list[Check]:
    """Which sources of energy figures this machine has; that it has none is no fault, unless one is asked for."""
    from attacca.worker.host.energy.opening import tried

    found = tried(config)
    there = [name for name, why in found.items() if why is None]
    missing = [f"no {name}: {why.message}" for name, why in found.items() if why is not None]
    is_fine = not config.is_on or bool(there if config.source == "auto" else config.source in there)
    asked = found.get(config.source)
    hint = (asked.hint if asked is not None else "") or "docs/energy.md says what each source needs"
    return [Check("energy", is_fine, "; ".join([", ".join(there) or "none", *missing]), hint)]


def certificates(directory: Path | None, now: float) -> list[Check]:
    """Of this machine's plane, if `cluster.certs` says where they are."""
    if directory is None:
        return []
    from attacca.io.certificates import SOON_DAYS, shown

    certificates_here = shown(sorted(directory.glob("*.crt")))
    if not certificates_here:
        return [Check("certificates", ok=False, detail=f"none in {directory}", hint="attacca certs init", needed=True)]
    return [
        Check(
            "certificate",
            ok=days > SOON_DAYS,
            detail=f"{', '.join(certificate.names)}: {f'good for {days} days' if days >= 0 else 'ended'}",
            hint="attacca certs, then bring what it makes to its place; no plane has to be started anew",
            needed=days < 0,
        )
        for certificate in certificates_here
        for days in [int((certificate.ends_at - now) // 86_400)]
    ]


def _mark(check: Check) -> Any:
    if check.ok:
        return marked("[green]ok[/]")
    return marked("[bold red]missing[/]" if check.needed else "[yellow]weaker[/]")


def _explained(check: Check) -> Any:
    from rich.text import Text

    text = Text(visible(check.detail), style="dim" if check.ok else "")
    if not check.ok and check.hint:
        text.append("\nTry: ", style="bold green")
        text.append(visible(check.hint))
    return text


def _libraries() -> Check:
    import importlib.util

    wanted = ("httptools", "litestar", "msgspec", "prometheus_client", "rich", "typer", "uvloop", "watchfiles")
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    detail = f"not found: {', '.join(missing)}" if missing else "all found"
    return Check("libraries", not missing, detail, "pip install --upgrade attacca", needed=True)


def _pip() -> Check:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return Check("pip", ok=True, detail=version("pip"))
    except PackageNotFoundError:
        hint = f"{sys.executable} -m ensurepip; only functions with a requirements.txt need it"
        return Check("pip", ok=False, detail="not found", hint=hint)


def _wasmtime() -> Check:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return Check("wasmtime", ok=True, detail=version("wasmtime"))
    except PackageNotFoundError:
        hint = "pip install 'attacca[wasm]'; only functions and workflows in WebAssembly need it"
        return Check("wasmtime", ok=False, detail="not found", hint=hint)


def _microvms() -> Check:
    from attacca.errors import IsolationMissing
    from attacca.worker.runtime.microvm.cards import lacking
    from attacca.worker.runtime.microvm.needs import find
    from attacca.worker.runtime.microvm.options import MicroVmOptions

    try:
        needs = find(MicroVmOptions())
    except IsolationMissing as error:
        hint = f'{error.hint}; only functions with runtime = "microvm" need it'
        return Check("micro-VMs", ok=False, detail=error.message, hint=hint)
    by = f" by {needs.jailer}" if needs.jailer else ""
    without = "" if (why := lacking()) is None else f"; none has a network: {why.message}"
    return Check("micro-VMs", ok=True, detail=f"{needs.kind}: {needs.monitor}{by}, {needs.kernel}{without}", hint="")


def _containers() -> Check:
    """The engines: those that are tried in their order, and daemons that take connections."""
    from attacca.errors import IsolationMissing
    from attacca.worker.runtime.container.engines import daemons
    from attacca.worker.runtime.container.keeping import ENGINES, PROGRAMS, engine_of
    from attacca.worker.runtime.container.options import ContainerOptions

    found = []
    for name in PROGRAMS:
        with contextlib.suppress(IsolationMissing):
            found.append(engine_of(name))
    found += daemons(ContainerOptions())
    if os.geteuid() != 0:
        return Check(
            "containers", ok=False, detail="made by root alone", hint="attacca up as root; only images need it"
        )
    hint = "apt-get install crun (or runc); only functions that are container images need one"
    return Check("containers", ok=bool(found), detail=", ".join(found) or f"neither {' nor '.join(ENGINES)}", hint=hint)


def _ways_out() -> Check:
    """What a function's `network` may be here."""
    from attacca.worker.host.nat.gate import programs
    from attacca.worker.host.nat.outside import lacking

    why = lacking()
    if why is None:
        program = None if os.geteuid() == 0 else programs.found()
        by = "" if program is None else f" (by {program[0]})"
        return Check("networks", ok=True, detail=f"none, nat{by}, host")
    return Check("networks", ok=False, detail=f"none, host; no nat: {why.message}", hint=why.hint)


def _cores() -> Check:
    if are_compiled():
        return Check("cores", ok=True, detail="compiled")
    file = changed()
    if not file or os.environ.get(ASKED) == PYTHON:
        return Check("cores", ok=True, detail="Python; compiled ones are about twice as fast (make compile)")
    return Check("cores", ok=False, detail=f"Python: {file} has changed since they were compiled", hint="make compile")


def _state_dir(path: Path) -> Check:
    nearest = path
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return Check("state dir", ok=False, detail=f"{path} cannot be written", hint="--state-dir DIR", needed=True)
    free = os.statvfs(nearest)
    free_gb = free.f_bavail * free.f_frsize / 1e9
    detail = f"{path}{'' if nearest == path else ' (will be made)'}, {free_gb:.1f} GB free"
    return Check("state dir", ok=free_gb > 0.1, detail=detail, hint="free some space, or --state-dir DIR", needed=True)


def _port(port: int) -> Check:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            hint = f"attacca list --url http://127.0.0.1:{port}, if it is attacca; or attacca up --port {port + 1}"
            return Check("port", ok=False, detail=f"{port}: {error.strerror}", hint=hint)
    return Check("port", ok=True, detail=f"{port} is free")
