"""`attacca certs`: certificates by which the planes of a cluster know one another on a network."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from attacca.cli.command import VerbCommand, VerbGroup
from attacca.cli.options import ConfigFile, Json, StateDir
from attacca.cli.screens.terminal import console, marked, paint, say, seconds, show_json

app = typer.Typer(
    cls=VerbGroup,
    help="Make the certificates of a cluster. The authority's key stays where it was made.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
INIT = """
attacca certs init
attacca certs init --renew  # planes believe the one before, too
"""
CONTROL = """
attacca certs control --out /etc/attacca/certs
attacca control --listen 10.0.0.1:7700 --certs /etc/attacca/certs
"""
GATEWAY = """
attacca certs gateway g1 --out ./g1  # then bring the directory to its machine
attacca gateway --name g1 --control 10.0.0.1:7700 --certs ./g1
"""
DOMAIN = """
attacca certs domain home --state-dir FEDERATION --out ./home  # then bring the directory to its machine
attacca up --domain home --federation 10.0.0.1:7900 --set federation.certs=./home
"""
WORKER = """
attacca certs worker w1 --out ./w1  # then bring the directory to its machine
attacca worker --name w1 --listen 10.0.0.2:7701 --control 10.0.0.1:7700 --certs ./w1
"""
LIST = "attacca certs list"

Out = Annotated[str, typer.Option("--out", metavar="DIR", help="Where they go.", show_default=False)]
Days = Annotated[int, typer.Option("--days", metavar="N", min=1, max=3650, help="How long they are good.")]
PlaneName = Annotated[str, typer.Argument(metavar="NAME", help="As its --name says.", show_default=False)]


@app.command("init", cls=VerbCommand, epilog=INIT)
def init(
    *,
    renew: Annotated[bool, typer.Option("--renew", help="Another, beside the one before.")] = False,
    state_dir: StateDir = "",
    file: ConfigFile = "",
    as_json: Json = False,
) -> None:
    """Make the authority of a cluster, in the state directory of its control."""
    from attacca.io.certificates import make_authority
    from attacca.kernel.clock import SystemClock

    folder = make_authority(_directory(state_dir, file), SystemClock().wall(), renew=renew)
    _tell(folder, "The authority", "attacca certs control --out DIR", as_json=as_json)


@app.command("control", cls=VerbCommand, epilog=CONTROL)
def control(
    *, out: Out = "", days: Days = 365, state_dir: StateDir = "", file: ConfigFile = "", as_json: Json = False
) -> None:
    """Make what control shows; all controls of a cluster show the same."""
    _make("control", "control", out, days, state_dir, file, as_json=as_json)


@app.command("gateway", cls=VerbCommand, epilog=GATEWAY)
def gateway(
    name: PlaneName,
    *,
    out: Out = "",
    days: Days = 365,
    state_dir: StateDir = "",
    file: ConfigFile = "",
    as_json: Json = False,
) -> None:
    """Make what one gateway shows."""
    _make("gateway", name, out, days, state_dir, file, as_json=as_json)


@app.command("domain", cls=VerbCommand, epilog=DOMAIN)
def domain(
    name: PlaneName,
    *,
    out: Out = "",
    days: Days = 365,
    state_dir: StateDir = "",
    file: ConfigFile = "",
    as_json: Json = False,
) -> None:
    """Make what one domain shows to its federation; the authority is the federation's."""
    _make("domain", name, out, days, state_dir, file, as_json=as_json)


@app.command("worker", cls=VerbCommand, epilog=WORKER)
def worker(
    name: PlaneName,
    *,
    out: Out = "",
    days: Days = 365,
    state_dir: StateDir = "",
    file: ConfigFile = "",
    as_json: Json = False,
) -> None:
    """Make what one worker shows."""
    _make("worker", name, out, days, state_dir, file, as_json=as_json)


@app.command("list", cls=VerbCommand, epilog=LIST)
def list_certificates(*, state_dir: StateDir = "", file: ConfigFile = "", as_json: Json = False) -> None:
    """List those below the state directory, and how long each is good."""
    from attacca.io.certificates import shown
    from attacca.kernel.clock import SystemClock

    certificates = shown(sorted(_directory(state_dir, file).rglob("*.crt")))
    if as_json:
        show_json(
            [
                {"path": str(certificate.path), "names": list(certificate.names), "ends_at": certificate.ends_at}
                for certificate in certificates
            ]
        )
        return
    if not certificates:
        say("There is none.")
        say("  Try: attacca certs init")
        return
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("of", "good for", "in"):
        table.add_column(heading)
    now = SystemClock().wall()
    for certificate in certificates:
        is_good = certificate.ends_at > now
        left = (
            marked("[green]{}[/]", seconds(certificate.ends_at - now))
            if is_good
            else marked("[bold red]{}[/]", "ended")
        )
        table.add_row(", ".join(certificate.names), left, str(certificate.path))
    console().print(table)


def _make(plane: str, name: str, out: str, days: int, state_dir: str, file: str, *, as_json: bool) -> None:
    from attacca.io.certificates import make_plane
    from attacca.kernel.clock import SystemClock

    directory = _directory(state_dir, file)
    where = Path(out).expanduser() if out else directory / (plane if plane == name else f"{plane}-{name}")
    folder = make_plane(directory, plane, name, where, SystemClock().wall(), days)
    who, named = (plane, "") if plane == name else (f"{plane} {name}", f" --name {name}")
    then = f"attacca {plane}{named} --certs {folder}"
    if plane == "domain":
        then = f"attacca up --domain {name} --federation HOST:PORT --set federation.certs={folder}"
    _tell(folder, f"What {who} shows", then, as_json=as_json)


def _tell(folder: Path, what: str, then: str, *, as_json: bool) -> None:
    if as_json:
        show_json({"path": str(folder)})
        return
    sys.stdout.write(f"{folder}\n")
    sys.stdout.flush()
    say(paint(f"{what} is there. Then: {then}", "dim", sys.stderr))


def _directory(flag: str, file: str) -> Any:
    from attacca.cli.serve.configuration import where_state_is

    return where_state_is(flag, file)[0] / "certs"
