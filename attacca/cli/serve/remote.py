"""`attacca remote`: planes on other machines, installed and started over OpenSSH."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from attacca.cli.command import Refused, VerbCommand, VerbGroup
from attacca.cli.options import Json
from attacca.cli.screens.terminal import say, show_json, visible

app = typer.Typer(
    cls=VerbGroup,
    help="Install, start and stop planes on other machines over OpenSSH, as a person would by hand.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
INSTALL = """
attacca remote install ann@10.0.0.2 --certs ./w1 --join-token ./join_token
attacca remote install ann@10.0.0.2 --settings worker.toml --package ./attacca-0.1.0-py3-none-any.whl
"""
START = """
attacca remote start ann@10.0.0.2 --options="--name w1 --listen 10.0.0.2:7701 --control 10.0.0.1:7700"
attacca remote start ann@10.0.0.2 ann@10.0.0.3 --plane gateway
"""
STOP = "attacca remote stop ann@10.0.0.2"
STATUS = "attacca remote status ann@10.0.0.2 ann@10.0.0.3"
LOGS = "attacca remote logs ann@10.0.0.2 -f"

Hosts = Annotated[list[str], typer.Argument(metavar="USER@HOST...", help="As ssh takes it.", show_default=False)]
Plane = Annotated[str, typer.Option("--plane", metavar="worker|gateway|control", help="Which of them.")]
Directory = Annotated[str, typer.Option("--dir", metavar="DIR", help="Of the installation there.")]
Program = Annotated[
    str, typer.Option("--program", metavar="PATH", help="attacca is there already, at PATH.", show_default=False)
]
Ssh = Annotated[str, typer.Option("--ssh", metavar="COMMAND", help="What reaches the machines.")]
Work = Callable[[Any], dict[str, Any]]  # on one place


@app.command("install", cls=VerbCommand, epilog=INSTALL)
def install(
    hosts: Hosts,
    *,
    package: Annotated[
        str, typer.Option("--package", metavar="SPEC", help="What pip installs: a file, or a name. Default: ours.")
    ] = "",
    python: Annotated[str, typer.Option("--python", metavar="PATH", help="Which Python there.")] = "python3",
    settings: Annotated[str, typer.Option("--settings", metavar="FILE", help="TOML that it is told.")] = "",
    certs: Annotated[str, typer.Option("--certs", metavar="DIR", help="What `attacca certs` made for it.")] = "",
    join_token: Annotated[str, typer.Option("--join-token", metavar="FILE", help="`attacca token join` > FILE")] = "",
    directory: Directory = "attacca",
    program: Program = "",
    ssh: Ssh = "ssh",
    as_json: Json = False,
) -> None:
    """Bring attacca there, in a virtual environment of its own, with what a plane is told and shows.

    Without --package it is the version that runs here, from the package index; with --program nothing is installed.
    """
    from attacca import __version__
    from attacca.client import remote

    files = {name: Path(given).expanduser() for name, given in
             ((remote.SETTINGS, settings), (remote.CERTS, certs), (remote.JOIN, join_token)) if given}  # fmt: skip
    wheel = Path(package).expanduser()
    if package and wheel.is_file():
        files[wheel.name] = wheel
    what = f"./{wheel.name}" if wheel.name in files else package or f"attacca=={__version__}"

    def work(place: Any) -> dict[str, Any]:
        remote.run(place, remote.unpack(place), remote.packed(files))
        version = "" if program else remote.run(place, remote.install(place, what, python)).split()[-1]
        return {"host": place.host, "state": "installed", "version": version}

    _each(hosts, directory, program, ssh, work, as_json=as_json)


@app.command("start", cls=VerbCommand, epilog=START)
def start(
    hosts: Hosts,
    *,
    plane: Plane = "worker",
    options: Annotated[str, typer.Option("--options", metavar="WORDS", help="More that the plane is told.")] = "",
    directory: Directory = "attacca",
    program: Program = "",
    ssh: Ssh = "ssh",
    as_json: Json = False,
) -> None:
    """Start a plane there, which goes on when we have gone, and wait until it is ready."""
    from attacca.client import remote

    words = shlex.split(options)

    def work(place: Any) -> dict[str, Any]:
        said = remote.run(place, remote.start(place, _known(plane), words))
        return {"host": place.host, "state": "up", "said": said.strip()}

    _each(hosts, directory, program, ssh, work, as_json=as_json)


@app.command("stop", cls=VerbCommand, epilog=STOP)
def stop(
    hosts: Hosts,
    *,
    plane: Plane = "worker",
    directory: Directory = "attacca",
    ssh: Ssh = "ssh",
    as_json: Json = False,
) -> None:
    """Have it drain, and wait until it has ended."""
    from attacca.client import remote

    def work(place: Any) -> dict[str, Any]:
        return {"host": place.host, "state": remote.run(place, remote.stop(place, _known(plane))).strip()}

    _each(hosts, directory, "", ssh, work, as_json=as_json)


@app.command("status", cls=VerbCommand, epilog=STATUS)
def status(
    hosts: Hosts,
    *,
    plane: Plane = "worker",
    directory: Directory = "attacca",
    ssh: Ssh = "ssh",
    as_json: Json = False,
) -> None:
    """Is its process there?"""
    from attacca.client import remote

    def work(place: Any) -> dict[str, Any]:
        state, _, pid = remote.run(place, remote.status(place, _known(plane))).strip().partition(" ")
        return {"host": place.host, "state": state, "process": int(pid) if pid else None}

    _each(hosts, directory, "", ssh, work, as_json=as_json)


@app.command("logs", cls=VerbCommand, epilog=LOGS)
def logs(
    host: Annotated[str, typer.Argument(metavar="USER@HOST", help="As ssh takes it.", show_default=False)],
    *,
    plane: Plane = "worker",
    lines: Annotated[int, typer.Option("-n", "--lines", metavar="N", min=0, help="The last so many.")] = 50,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what it says from now on.")] = False,
    directory: Directory = "attacca",
    ssh: Ssh = "ssh",
    as_json: Json = False,
) -> None:
    """Show what a plane there has said."""
    from attacca.client import remote

    place = remote.Place(host, tuple(shlex.split(ssh)), directory)
    script = remote.logs(place, _known(plane), lines, is_followed=follow)
    if follow and not as_json:
        raise typer.Exit(remote.follow(place, script))
    said = remote.run(place, script)
    if as_json:
        show_json(said.splitlines())
    else:
        sys.stdout.write(visible(said))


def _known(plane: str) -> str:
    from attacca.errors import BadConfig

    if plane not in ("worker", "gateway", "control"):
        raise BadConfig(f"there is no plane {plane!r}", "--plane worker, gateway or control")
    return plane


def _each(hosts: list[str], directory: str, program: str, ssh: str, work: Work, *, as_json: bool) -> None:
    """One after the other; who fails does not keep the others from it."""
    from attacca.client import remote
    from attacca.errors import AttaccaError

    rows = []
    for host in hosts:
        place = remote.Place(host, tuple(shlex.split(ssh)), directory, program)
        try:
            row = work(place)
        except AttaccaError as error:
            row = remote.failed(place, error)
        rows.append(row)
        if not as_json:
            say(" ".join(visible(str(value)) for value in row.values() if value not in (None, "")))
    if as_json:
        show_json(rows)
    if any(row["state"] == "failed" for row in rows):
        raise Refused
