"""`attacca bench`: what this machine's runtimes cost, side by side."""

from pathlib import Path
from typing import Annotated

import typer

from attacca.cli.command import VerbCommand, VerbGroup
from attacca.cli.options import Json
from attacca.cli.screens.terminal import say, show_json

app = typer.Typer(
    cls=VerbGroup,
    help="Measure what each runtime of this machine costs.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
RUNTIMES = """
attacca bench runtimes
attacca bench runtimes process custom by-crun --cold 50
attacca bench runtimes --json | jq '.runtimes[] | {runtime, cold: .starts.cold.total}'
"""

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Default: all that are here.")]
Cold = Annotated[int, typer.Option("--cold", metavar="N", min=1, help="Cold starts of each, and from templates.")]
Warm = Annotated[int, typer.Option("--warm", metavar="N", min=1, help="Warm invocations of each.")]
Sandboxes = Annotated[int, typer.Option("--sandboxes", metavar="N", min=1, max=100, help="Idle ones that are weighed.")]
Containerd = Annotated[str | None, typer.Option("--containerd", metavar="SOCKET", help="Where it listens.")]
Docker = Annotated[str | None, typer.Option("--docker", metavar="SOCKET", help="Where dockerd listens.")]
Out = Annotated[str, typer.Option("--out", metavar="FILE", help="Write it as JSON.", show_default=False)]


@app.callback()
def bench() -> None: ...


@app.command("runtimes", cls=VerbCommand, epilog=RUNTIMES)
def runtimes(
    names: Names = None,
    *,
    cold: Cold = 20,
    warm: Warm = 200,
    sandboxes: Sandboxes = 8,
    containerd: Containerd = None,
    docker: Docker = None,
    out: Out = "",
    as_json: Json = False,
) -> None:
    """Start and call the least function of each runtime, on servers of its own: cold, from a template, warm.

    Idle sandboxes are weighed. What this machine lacks is named with what it lacks.
    """
    import msgspec

    from attacca.cli.screens.progress import ticking
    from attacca.cli.screens.runtimes import show
    from attacca.lab.runtimes import Measures, run
    from attacca.worker.runtime.container.options import ContainerOptions

    where = {name: path for name, path in (("containerd", containerd), ("docker", docker)) if path is not None}
    container = msgspec.structs.replace(ContainerOptions(), **where)
    asked = Measures(cold=cold, warm=warm, sandboxes=sandboxes, only=tuple(names or ()), container=container)
    with ticking("measuring", quiet=as_json) as tick:
        costs = run(asked, (lambda _: None) if as_json else lambda text: say(text, "dim"), tick)
    if out:
        Path(out).write_bytes(msgspec.json.format(msgspec.json.encode(costs), indent=1) + b"\n")
    if as_json:
        show_json(msgspec.to_builtins(costs))
    else:
        show(costs)
