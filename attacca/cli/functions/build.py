"""`attacca build`: a directory becomes an image, without a daemon."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attacca.cli.functions.sizes import size
from attacca.cli.options import DEFAULT_URL, Json, Mirrors, Token, Url
from attacca.errors import BadConfig

if TYPE_CHECKING:
    from attacca.images.build import Base
    from attacca.images.packing import Tick
    from attacca.images.store import ImageStore

EXAMPLES = """
attacca build ./shop --tag shop
attacca build ./shop -o shop.tar && docker load -i shop.tar
attacca build ./server --base scratch --tag server:v2
attacca build ./site --base python.tar --command "python3 -m http.server 8080" --tag site
attacca build ./shop --handler main:handler --tag shop
attacca build ./shop --pad 50MiB --tag shop-large
"""
SCRATCH, PYTHON = "scratch", "host-python"

CodePath = Annotated[str, typer.Argument(metavar="PATH", help="A directory, or a file.", show_default=False)]
Below = Annotated[
    str,
    typer.Option(
        "--base", metavar="scratch|host-python|FILE|IMAGE", help="What lies below: nothing, this Python, an image."
    ),
]
Output = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Write it there, as docker load takes it.")]
Tag = Annotated[str, typer.Option("--tag", "-t", metavar="NAME[:TAG]", help="Send it to the server's registry.")]
Command = Annotated[str, typer.Option("--command", metavar="WORDS", help="What runs. Default: bootstrap, or main.py.")]
Handler = Annotated[
    str,
    typer.Option(
        "--handler", metavar="MODULE:NAME", help="A function for the Python in it, in the place of a program."
    ),
]
Env = Annotated[list[str] | None, typer.Option("--env", "-e", metavar="K=V", help="A variable. Repeatable.")]
Label = Annotated[list[str] | None, typer.Option("--label", metavar="K=V", help="A label. Repeatable.")]
Pad = Annotated[str, typer.Option("--pad", metavar="SIZE", help="So much more, for experiments with pulls: 50MiB.")]


def run(
    path: CodePath,
    *,
    base: Below = PYTHON,
    output: Output = "",
    tag: Tag = "",
    command: Command = "",
    handler: Handler = "",
    env: Env = None,
    label: Label = None,
    pad: Pad = "0",
    mirror: Mirrors = None,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Make an image of a directory, without a daemon.

    Its files come to /app; the same files, the same bytes. What is packed is kept in ~/.cache/attacca, so that a base
    is packed once.
    """
    from attacca.cli.functions.deploy import read_env
    from attacca.cli.functions.images import push, store
    from attacca.cli.screens.progress import counted
    from attacca.cli.screens.terminal import console, marked, megabytes, say, show_json
    from attacca.images.build import Plan, build
    from attacca.model.image import CONTRACT, START, Contract

    if bool(output) == bool(tag):
        raise BadConfig("it is not said where the image is to go", "either -o FILE or --tag NAME")
    labels = {name: value for name, _, value in (one.partition("=") for one in label or ())}
    if handler:
        labels |= {CONTRACT: Contract.GUEST.value, f"{START}handler": handler}
    variables = tuple(f"{name}={value}" for name, value in read_env(env or []).items())
    plan = Plan(command=tuple(shlex.split(command)), env=variables, labels=labels, pad_bytes=size(pad, "--pad"))
    images = store()
    with counted("packing", quiet=as_json) as tick:
        below = found(base, images, tick, mirror or ())
        digest, manifest = build(Path(path), below, plan, images, tick, say)
    whole = manifest.config.size + sum(layer.size for layer in manifest.layers)
    if output:
        write(images, digest, Path(output), Path(path))
    else:
        push(images, digest, tag, url, token, quiet=as_json)
    if as_json:
        show_json({"digest": digest, "bytes": whole, "layers": len(manifest.layers)})
        return
    template = "[bold green]✓[/] [bold cyan]{}[/] [dim]{} · {} layers · {}[/]"
    console().print(marked(template, output or tag, digest[:19], len(manifest.layers), megabytes(whole)))


def found(base: str, images: "ImageStore", tick: "Tick", mirrors: Sequence[str] = ()) -> "Base":
    """What `--base` says: a word, a file, or the name of an image elsewhere."""
    from attacca.cli.functions.images import cache
    from attacca.cli.screens.terminal import say
    from attacca.images import build, layout
    from attacca.images.core.mirrors import read
    from attacca.images.core.names import parse
    from attacca.images.pulling import pull_from

    if base == SCRATCH:
        return build.scratch()
    if base == PYTHON:
        return build.python(images, cache(), tick)
    if Path(base).exists():
        return build.image(images, layout.load(Path(base), images, "base", "latest").digest)
    return build.image(images, pull_from(parse(base), read(mirrors), images, say, tick=tick))


def write(images: "ImageStore", digest: str, output: Path, path: Path) -> None:
    """
    Raises:
        BadConfig: it cannot be written there.
    """
    from attacca.client.source import default_name
    from attacca.images import layout

    made = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with made.open("wb") as file:
            layout.write(file, images.blobs, digest, images.manifest(digest)[1], [f"{default_name(path)}:latest"])
        made.rename(output)
    except OSError as error:
        made.unlink(missing_ok=True)
        raise BadConfig(f"{output} cannot be written: {error.strerror or error}", "choose another place") from None
