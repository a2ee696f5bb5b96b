"""`attacca registry`: what the server's registry of images holds, filled for experiments and emptied of what nobody
runs."""

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from attacca.cli.command import VerbCommand, VerbGroup
from attacca.cli.functions.images import push, store
from attacca.cli.functions.sizes import size
from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screens.terminal import console, counted, marked, say, show_json
from attacca.client.http import Client, quoted
from attacca.errors import BadConfig

app = typer.Typer(
    cls=VerbGroup,
    help="List what the server's registry of images holds, fill it for experiments, remove what no function is of.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
LIST = "attacca registry list"
POPULATE = """
attacca registry populate --count 20 --size 50MiB
attacca registry populate --count 3 --size 1MiB --prefix small/image
"""
PRUNE = """
attacca registry prune --dry-run  # say what would go
attacca registry prune
"""
PAGE, PIECE = 1000, 1 << 20
DEPLOYED = "deployed"  # where the server keeps images that it was sent as archives
NOTHING = ("/nothing",)  # what such an image says that it runs

Count = Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="So many images.")]
Size = Annotated[str, typer.Option("--size", metavar="SIZE", help="Of each; it does not compress, and none shares it.")]
Prefix = Annotated[str, typer.Option("--prefix", metavar="NAME", help="What their repositories begin with.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Remove nothing.")]


@app.command("list", cls=VerbCommand, epilog=LIST)
def list_images(*, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """List its repositories, with the tags of each."""
    with Client(url, token) as client:
        rows = [{"repository": name, "tags": _tags(client, name)} for name in _repositories(client)]
    if as_json:
        show_json(rows)
    elif rows:
        show(rows)
    else:
        say("It holds no image.")
        say("  Try: attacca build PATH --tag NAME")


@app.command("populate", cls=VerbCommand, epilog=POPULATE)
def populate(
    *, count: Count = 10, size_: Size = "10MiB", prefix: Prefix = "populated/image", url: Url = DEFAULT_URL,
    token: Token = "", as_json: Json = False,
) -> None:  # fmt: skip
    """Fill it with images that nobody runs, for experiments with pulls and with its room.

    They are PREFIX-1 and so on, the same to the byte each time. A prefix with a / is no function's name, so that
    nothing is deployed.
    """
    from attacca.images.build import Plan, build, scratch

    if "/" not in prefix:
        raise BadConfig(f"a push to {prefix[:60]}-1 would be a deployment", "--prefix NAME/NAME")
    each, images = size(size_, "--size"), store()
    names = [f"{prefix}-{number}" for number in range(1, count + 1)]
    for name in names:
        with tempfile.TemporaryDirectory(dir=images.blobs.tmp) as directory:
            with (Path(directory) / "content").open("wb") as file:
                file.writelines(content(name, each))
            digest, _ = build(Path(directory), scratch(), Plan(command=NOTHING), images, lambda _: None, lambda _: None)
        push(images, digest, f"{name}:latest", url, token, quiet=True)
    if as_json:
        show_json({"pushed": names})
    else:
        say(f"{counted(len(names), 'image')} of {size_} each: {names[0]} and on.", "green")


@app.command("prune", cls=VerbCommand, epilog=PRUNE)
def prune(*, dry_run: DryRun = False, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Remove all images that are in no function's repository.

    What functions run stays. What is left without a name goes from the disk within an hour.
    """
    with Client(url, token) as client:
        kept = {row["function"] for row in client.functions()} | {DEPLOYED}
        gone = [(name, tag) for name in _repositories(client) if name not in kept for tag in _tags(client, name)]
        for name, tag in gone if not dry_run else ():
            _drop(client, name, tag)
    if as_json:
        show_json({"removed": [] if dry_run else [f"{name}:{tag}" for name, tag in gone],
                   "would_remove": [f"{name}:{tag}" for name, tag in gone] if dry_run else []})  # fmt: skip
        return
    for name, tag in gone:
        say(f"{name}:{tag}")
    said = "would be removed" if dry_run else "removed"
    say(f"{counted(len(gone), 'image')} {said}.", "green")


def content(name: str, size_bytes: int) -> Iterator[bytes]:
    """Bytes that do not compress, and are like those of no other name."""
    for at in range(0, size_bytes, PIECE):
        yield hashlib.shake_128(f"{name} {at}".encode()).digest(min(PIECE, size_bytes - at))


def show(rows: list[dict[str, Any]], width: int | None = None) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("repository")
    table.add_column("tags", overflow="fold")
    for row in rows:
        table.add_row(marked("[cyan]{}[/]", row["repository"]), ", ".join(row["tags"]) or "-")
    console(width=width).print(table)


def _repositories(client: Client) -> list[str]:
    return _pages(client, "/v2/_catalog", "repositories")


def _tags(client: Client, repository: str) -> list[str]:
    return _pages(client, f"/v2/{repository}/tags/list", "tags")


def _pages(client: Client, path: str, field: str) -> list[str]:
    found: list[str] = []
    while True:
        last = f"&last={quoted(found[-1])}" if found else ""
        page: list[str] = client.json("GET", f"{path}?n={PAGE}{last}")[field]
        found += page
        if len(page) < PAGE:
            return found


def _drop(client: Client, repository: str, tag: str) -> None:
    answer = client.request("DELETE", f"/v2/{repository}/manifests/{tag}")
    if answer.status not in (202, 404):  # 404: somebody else was quicker
        client.fail(answer.status, answer.body, "DELETE", f"/v2/{repository}/manifests/{tag}")
