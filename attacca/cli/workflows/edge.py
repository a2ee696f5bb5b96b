"""`attacca edge`: a domain of several nodes in one command, and settings to start others from."""

import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attacca.cli.command import VerbCommand, VerbGroup, gathered
from attacca.cli.options import DEFAULT_URL, Json, StateDir
from attacca.cli.screens.terminal import counted, paint, say, show_json
from attacca.cli.serve.plane_options import Listening, Public, Started, Working, said
from attacca.errors import BadConfig, Conflict

if TYPE_CHECKING:
    from attacca.cli.serve.planes.supervisor import Supervisor
    from attacca.kernel.settings import Given

app = typer.Typer(
    cls=VerbGroup,
    help="Start a domain of several nodes on this machine; write the settings of a node, a domain or a federation.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
INABOX = """
attacca edge inabox
attacca edge inabox --nodes 3 --config domain.toml
attacca edge inabox --state-dir ./state --set resources.directory=./logs
"""
TEMPLATE = """
attacca edge template domain  # domain.toml
attacca edge template node kitchen.toml && attacca worker --config kitchen.toml
"""
WRITTEN_FOR = {"node": "attacca worker", "domain": "attacca control", "federation": "attacca federation"}
NEXT = (
    "attacca node list",
    "attacca workflow start FILE",
    "attacca proxy show node instances",
)
Nodes = Annotated[int, typer.Option("--nodes", metavar="N", min=1, help="As processes of their own.")]
Kind = Annotated[Literal["node", "domain", "federation"], typer.Argument(help="Whose settings.", show_default=False)]
Where = Annotated[
    str, typer.Argument(metavar="[FILE]", help="Where to write; else KIND.toml here.", show_default=False)
]


@app.command("inabox", cls=VerbCommand, epilog=INABOX)
@gathered
def inabox(
    *, nodes: Nodes = 2, listening: Listening, state_dir: StateDir = "", public: Public = None, working: Working,
    started: Started, as_json: Json = False,
) -> None:  # fmt: skip
    """Start a domain in a box: control, a gateway and so many nodes, each in a process of its own.

    As `attacca up --workers N`, with what suits a try: nodes tell how long everything takes, and what resources
    write is in the directory where this was started.
    """
    from attacca.cli.serve.configuration import load
    from attacca.cli.serve.handed import handed, placed
    from attacca.cli.serve.lines import log_to_stderr
    from attacca.cli.serve.running import run as serve
    from attacca.cli.serve.up import apart, passed_on

    flags = said(listening, working)
    flags |= {"state_dir": (state_dir or None, "--state-dir"), "public": (public, "--public")}
    settled = load(os.environ, started.file, flags, started.assignments or [])
    log_to_stderr(lambda: "edge", verbose=started.verbose, is_json=settled.value.log == "json")
    given = handed(os.environ)
    words = [*passed_on(flags), *(["--config", started.file] if started.file else [])]
    words += ["--verbose"] if started.verbose else []
    assignments = [*unsaid(settled.origins, Path.cwd()), *(started.assignments or [])]
    plane = apart(placed(settled.value, given), nodes, 1, words, assignments, given)
    files = settled.value.resources.directory or Path.cwd()
    greet = partial(greeted, plane, nodes, str(files), as_json=as_json, quiet=started.quiet)
    code = serve(plane, greet, has_lifeline=started.lifeline)
    if code:
        raise typer.Exit(code)


def unsaid(origins: "Mapping[str, Given]", here: Path) -> list[str]:
    """What is another default in a box, as assignments, where nobody has said it."""
    from attacca.kernel.settings import DEFAULT

    wanted = {"resources.directory": str(here), "worker.telemetry.performance_samples": "true"}
    return [f"{key}={value}" for key, value in wanted.items() if origins[key].layer == DEFAULT]


def greeted(plane: "Supervisor", nodes: int, files: str, *, as_json: bool, quiet: bool) -> None:
    info = plane.info()
    if as_json:
        show_json({"url": plane.url, "restored": plane.restored, "files": files, **info})
        return
    if quiet:
        return
    out = sys.stdout
    lines = [f"{paint('attacca', 'bold cyan', out)} has {counted(nodes, 'node')} at {paint(plane.url, 'bold', out)}"]
    lines += ["", *(f"  {name:<12}{paint(f'process {pid}', 'dim', out)}" for name, pid in info["planes"].items())]
    lines += [
        f"  {paint(f'{name:<12}', 'dim', out)}{at}" for name, at in (("state", info["state_dir"]), ("files", files))
    ]
    where = [] if plane.url == DEFAULT_URL else [f"export ATTACCA_URL={plane.url}"]
    lines += ["", *(f"  {paint('$', 'dim', out)} {line}" for line in (*where, *NEXT)), ""]
    out.write("\n".join([*lines, paint("  Ctrl-C drains and stops all of them.", "dim", out)]) + "\n")
    out.flush()


@app.command("template", cls=VerbCommand, epilog=TEMPLATE)
def template(kind: Kind, file: Where = "", *, as_json: Json = False) -> None:
    """Write settings to be changed: of a node, a domain or a federation. Nothing is written over.

    They are for `attacca worker`, `attacca control` and `attacca federation`.
    """
    from importlib.resources import files

    path = Path(file or f"{kind}.toml")
    text = files("attacca.cli.workflows").joinpath("templates", f"{kind}.toml").read_text()
    try:
        with path.open("x") as new:
            new.write(text)
    except FileExistsError:
        raise Conflict(
            f"{path} exists already; nothing was written", f"attacca edge template {kind} OTHER.toml"
        ) from None
    except OSError as error:
        raise BadConfig(f"{path} cannot be written: {error.strerror}", "name a file in a directory of yours") from None
    if as_json:
        show_json({"kind": kind, "file": str(path)})
    else:
        say(f"Wrote {path}.", "green")
        say(f"  Next: {WRITTEN_FOR[kind]} --config {path}")
