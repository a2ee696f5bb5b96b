"""`attacca deploy`: code, or an image, becomes a function, step by step before one's eyes."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from attacca.cli.options import DEFAULT_URL, Json, Mirrors, Token, Url
from attacca.cli.screens.terminal import console, marked, megabytes, milliseconds, show_json, visible, wants
from attacca.client.http import Client, quoted
from attacca.errors import BadConfig

EXAMPLES = """
attacca deploy hello.py
attacca deploy ./shop --name shop --memory 512 --concurrency 20
attacca deploy ./fetcher --network nat --allow example.org:443 --timeout 10 --env API=https://example.org
attacca deploy image.tar --name shop --memory 256
attacca deploy shop.zip --handler shop.web:app
attacca deploy shout.wasm
attacca deploy ./shop --json | jq .url
attacca deploy ghcr.io/team/shop:v1 --memory 256
attacca deploy ghcr.io/team/shop:v1 --runtime kubernetes
"""

CodePath = Annotated[
    str,
    typer.Argument(metavar="PATH", help="A Python or .wasm file, a directory, a .zip, an image.", show_default=False),
]
NewName = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Default: the file's or directory's name.")]
Handler = Annotated[str | None, typer.Option("--handler", metavar="MODULE:NAME", help="Default: found by itself.")]
Memory = Annotated[int | None, typer.Option("--memory", metavar="MB", help="For each sandbox. Default: 128.")]
Timeout = Annotated[float | None, typer.Option("--timeout", metavar="SECONDS", help="To the last byte. Default: 30.")]
FirstByte = Annotated[float | None, typer.Option("--first-byte", metavar="SECONDS", help="To the first byte.")]
Wait = Annotated[float | None, typer.Option("--wait", metavar="SECONDS", help="For a sandbox. Default: 60.")]
AtOnce = Annotated[int | None, typer.Option("--concurrency", metavar="N", help="At once in one sandbox. Default: 1.")]
Env = Annotated[list[str] | None, typer.Option("--env", "-e", metavar="K=V", help="A variable. Repeatable.")]
Secret = Annotated[list[str] | None, typer.Option("--secret", metavar="NAME[=file]", help="In env. Repeatable.")]
Least = Annotated[int | None, typer.Option("--min", metavar="N", help="Sandboxes at least. Default: 0.")]
Most = Annotated[int | None, typer.Option("--max", metavar="N", help="Sandboxes at most. Default: as memory holds.")]
Cpus = Annotated[float | None, typer.Option("--cpus", metavar="N", help="Default: an equal share.")]
Gpu = Annotated[float | None, typer.Option("--gpu", metavar="N", help="A share of an accelerator, or whole ones.")]
Queue = Annotated[int | None, typer.Option("--queue", metavar="N", help="May wait at once. Default: 100.")]
Net = Annotated[str | None, typer.Option("--network", metavar="none|nat|host", help="What it reaches. Default: none.")]
Allow = Annotated[list[str] | None, typer.Option("--allow", metavar="HOST:PORT", help="By nat, alone. Repeatable.")]
Publish = Annotated[list[str] | None, typer.Option("--publish", metavar="PORT:PORT", help="Of containers. Repeatable.")]
Bandwidth = Annotated[float | None, typer.Option("--bandwidth", metavar="MBPS", help="Of a sandbox by nat, each way.")]
Kind = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        metavar="KIND",
        help="process, custom, wasm, container, microvm, kubernetes. Default: by what it is.",
    ),
]
Idempotent = Annotated[
    bool | None, typer.Option("--idempotent/--not-idempotent", help="May run twice: retried when its sandbox is lost.")
]
Pure = Annotated[bool | None, typer.Option("--pure/--not-pure", help="Of WebAssembly: it imports nothing.")]
SourceBuilds = Annotated[bool, typer.Option("--allow-source-builds", help="Requirements without a wheel are built.")]


def run(
    path: CodePath,
    *,
    name: NewName = None,
    handler: Handler = None,
    memory_mb: Memory = None,
    timeout_s: Timeout = None,
    first_byte_s: FirstByte = None,
    wait_s: Wait = None,
    concurrency: AtOnce = None,
    env: Env = None,
    secret: Secret = None,
    min_sandboxes: Least = None,
    max_sandboxes: Most = None,
    cpus: Cpus = None,
    gpu: Gpu = None,
    queue: Queue = None,
    network: Net = None,
    allow: Allow = None,
    bandwidth_mbps: Bandwidth = None,
    publish: Publish = None,
    runtime: Kind = None,
    idempotent: Idempotent = None,
    pure: Pure = None,
    allow_source_builds: SourceBuilds = False,
    mirror: Mirrors = None,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Deploy a Python file, a module of WebAssembly, a directory, a .zip of one, or an image as a function.

    An image is a directory or a .tar as the OCI lays it out, or its name in a registry; it serves HTTP on $PORT.
    By --runtime kubernetes the server's cluster pulls it, and it comes not here.
    Settings may stand in function.toml in the directory; options win. The code is imported once before it is
    accepted: when that fails, you see why, and what was deployed before stays.
    """
    from attacca.cli.functions.images import is_named
    from attacca.cli.functions.zipped import opened, pointed
    from attacca.client.component import ready
    from attacca.client.source import find

    flags = {
        "name": name, "handler": handler, "memory_mb": memory_mb, "timeout_s": timeout_s, "first_byte_s": first_byte_s,
        "wait_s": wait_s, "concurrency": concurrency, "min_sandboxes": min_sandboxes, "max_sandboxes": max_sandboxes,
        "cpus": cpus, "gpu": gpu, "queue": queue, "network": network, "runtime": runtime, "idempotent": idempotent,
        "allow": allow or None, "bandwidth_mbps": bandwidth_mbps, "publish": publish or None, "pure": pure,
    }  # fmt: skip
    is_pod = runtime == "kubernetes" and not Path(path).exists()
    if is_named(path, runtime) and not is_pod:
        done = pushed(path, flags, env or [], secret or [], url, token, mirror or [], quiet=as_json)
        show_pushed(done, as_json=as_json)
        return
    with pointed(path) if is_pod else opened(Path(path)) as code:
        found = find(code.path, flags, read_env(env or []), read_secrets(secret or []), code.called or Path(path))
        say = (lambda _: None) if as_json else (lambda text: console(stderr=True).print(marked("[dim]{}[/]", text)))
        with ready(found, say) as source, Client(url, token) as client:
            done = send(client, source, path, code.notes, allow_source_builds=allow_source_builds, quiet=as_json)
    show_json(done) if as_json else show(done)


def pushed(
    path: str, flags: dict[str, Any], env: list[str], secret: list[str], url: str, token: str, mirrors: list[str], *,
    quiet: bool,
) -> dict[str, Any]:  # fmt: skip
    """An image of another registry comes here, and goes to the server's, with the settings as its labels."""
    from attacca.cli.functions.images import as_labels, pulled, push

    labels = as_labels(flags, read_env(env), read_secrets(secret))
    images, digest, named = pulled(path, labels, mirrors, quiet=quiet)
    name = flags["name"] or named
    push(images, digest, name, url, token, quiet=quiet)
    with Client(url, token) as client:
        row = client.json("GET", f"/api/functions/{quoted(name)}")
        return {"function": name, "revision": row["revision"], "image": digest, "url": client.function_at(name)}


def show_pushed(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(done)
        return
    what = "[bold green]✓[/] [bold cyan]{}[/] revision [bold]{}[/] [dim]{}[/]\n  [dim]url     [/] {}"
    console().print(marked(what, done["function"], done["revision"], done["image"][:19], done["url"]), soft_wrap=True)


def read_env(pairs: list[str]) -> dict[str, str]:
    """`K=V` as it stands.

    Raises:
        BadConfig: a pair has no `=`, or is no text.
    """
    env = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise BadConfig(f"--env {pair[:8]!r}... is not K=V", "--env DEBUG=1")
        if any("\ud800" <= char <= "\udfff" for char in pair):
            raise BadConfig(
                f"--env {key!r} is not UTF-8", "write other bytes as base64, and decode them in the function"
            )
        env[key] = value
    return env


def read_secrets(names: list[str]) -> dict[str, str]:
    """`NAME` is NAME=env."""
    return {name: kind if equals else "env" for name, equals, kind in (written.partition("=") for written in names)}


def send(
    client: Client, source: Any, shown: str, notes: Iterable[str], *, allow_source_builds: bool, quiet: bool
) -> dict[str, Any]:
    """Pack, send, show the steps, and say what came of it."""
    from attacca.client.source import deploy, size_of
    from attacca.io.archive import packed

    done: dict[str, Any] = {}
    said = [*notes]
    with packed(source.path, said) as archive:
        step, stop = steps(source.settings.name, quiet=quiet)
        for note in said:
            step("note", note)
        step("send", f"{megabytes(size_of(archive))} of {shown}")
        try:
            for line in deploy(client, source, archive, allow_source_builds=allow_source_builds):
                if "done" in line:
                    done = line["done"]
                else:
                    step(line["step"], line["text"])
        finally:
            stop()
    return {**done, "url": client.function_at(done["function"])}


def steps(name: str, *, quiet: bool = False) -> tuple[Callable[[str, str], None], Callable[[], None]]:
    """Two calls: a step has come, and the last one has. On a terminal, a spinner turns beneath what is done."""
    if quiet:
        return (lambda _kind, _text: None), (lambda: None)
    from rich.text import Text

    screen = console(stderr=True)
    status = screen.status(Text(f"Deploying {name}"), spinner="dots") if screen.is_terminal else None
    if status is not None:
        status.start()

    def step(kind: str, text: str) -> None:
        for line in visible(text).rstrip("\n").splitlines() or [""]:
            screen.print(Text.assemble((f"{visible(kind):>7} ", "dim cyan"), (line, "dim")), soft_wrap=True)
        if status is not None:
            status.update(Text(visible(f"Deploying {name}: {kind}")))

    return step, status.stop if status is not None else (lambda: None)


def show(done: dict[str, Any], width: int | None = None) -> None:
    from attacca.client.source import example

    screen = console(width=width)
    what = "[bold green]✓[/] [bold cyan]{}[/] revision [bold]{}[/]"
    before = [done["replaced"]] if done["replaced"] else []
    what += " [dim](replaces {})[/]" * len(before)
    screen.print(marked(what, done["function"], done["revision"], *before))
    imports = [milliseconds(done["imports_ms"])] if done["imports_ms"] else []  # programs of their own import nothing
    handler = "{} [dim]· {}" + " · imported in {} ms" * len(imports) + "[/]"
    rows = {
        "handler": marked(handler, done["handler"], wants(done), *imports),
        "url": marked("{}", done["url"]),
        "invoke": marked("[bold]{}[/]", example(done)),
    }
    if done.get("changes"):
        rows = {"changed": marked("{}", ", ".join(done["changes"])), **rows}
    for label, text in rows.items():
        screen.print(marked("  [dim]{}[/] ", f"{label:<8}") + text, soft_wrap=True)
