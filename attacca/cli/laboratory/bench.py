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
attacca bench runtimes kubernetes --kubeconfig ~/.kube/config --image ghcr.io/team/hello:v1
attacca bench runtimes --json | jq '.runtimes[] | {runtime, cold: .starts.cold.total}'
"""

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Default: all that are here.")]
Cold = Annotated[int, typer.Option("--cold", metavar="N", min=1, help="Cold starts of each, and from templates.")]
Warm = Annotated[int, typer.Option("--warm", metavar="N", min=1, help="Warm invocations of each.")]
First = Annotated[
    int, typer.Option("--first", metavar="N", min=1, help="First invocations: after deployments, and after restarts.")
]
Sandboxes = Annotated[int, typer.Option("--sandboxes", metavar="N", min=1, max=100, help="Idle ones that are weighed.")]
Containerd = Annotated[str | None, typer.Option("--containerd", metavar="SOCKET", help="Where it listens.")]
Docker = Annotated[str | None, typer.Option("--docker", metavar="SOCKET", help="Where dockerd listens.")]
Kubeconfig = Annotated[str, typer.Option("--kubeconfig", metavar="FILE", help="Of a cluster.", show_default=False)]
Image = Annotated[
    str, typer.Option("--image", metavar="NAME", help="Which that can pull: it serves $PORT.", show_default=False)
]
Out = Annotated[str, typer.Option("--out", metavar="FILE", help="Write it as JSON.", show_default=False)]


@app.callback()
def bench() -> None: ...


@app.command("runtimes", cls=VerbCommand, epilog=RUNTIMES)
def runtimes(
    names: Names = None,
    *,
    cold: Cold = 20,
    warm: Warm = 200,
    first: First = 3,
    sandboxes: Sandboxes = 8,
    containerd: Containerd = None,
    docker: Docker = None,
    kubeconfig: Kubeconfig = "",
    image: Image = "",
    out: Out = "",
    as_json: Json = False,
) -> None:
    """Start and call the least function of each runtime, on servers of its own: cold, from a template, warm, first.

    Idle sandboxes are weighed. What this machine lacks is named with what it lacks. A file of --out is written after
    each; where NAMEs are given, what it has of others stays.
    """
    import msgspec

    from attacca.cli.screens.progress import ticking
    from attacca.cli.screens.runtimes import show
    from attacca.lab.kinds import Places
    from attacca.lab.runtimes import Costs, Measures, merged, read, run
    from attacca.worker.runtime.container.options import ContainerOptions

    where = {name: path for name, path in (("containerd", containerd), ("docker", docker)) if path is not None}
    container = msgspec.structs.replace(ContainerOptions(), **where)
    places = Places(container, kubeconfig, image)
    asked = Measures(cold=cold, warm=warm, first=first, sandboxes=sandboxes, only=tuple(names or ()), places=places)
    before = read(Path(out)) if out and names and Path(out).exists() else Costs()

    def keep(costs: Costs) -> None:
        if out:
            whole = merged(before, costs)
            Path(out).write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n")

    with ticking("measuring", quiet=as_json) as tick:
        costs = run(asked, (lambda _: None) if as_json else lambda text: say(text, "dim"), tick, keep)
    keep(costs)
    if as_json:
        show_json(msgspec.to_builtins(costs))
    else:
        show(costs)
