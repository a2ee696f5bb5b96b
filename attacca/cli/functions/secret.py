"""`attacca secret`: what functions are given in confidence. A value goes to the server, and comes back from nowhere."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from attacca.cli.command import VerbCommand, VerbGroup
from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screens.terminal import console, marked, say, seconds, show_json
from attacca.client.http import Client, quoted
from attacca.errors import BadRequest, PayloadTooLarge
from attacca.model.function import SECRET_KB

app = typer.Typer(
    cls=VerbGroup,
    help="Set, list and delete secrets. A function that names one in function.toml is given it; nobody is shown it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
SET = """
attacca secret set DB_PASSWORD  # asks for it
pass show db | attacca secret set DB_PASSWORD
attacca secret set TLS_KEY --file key.pem
"""
LIST = "attacca secret list"
DELETE = """
attacca secret delete DB_PASSWORD
attacca secret delete DB_PASSWORD --force  # also if a function asks for it
"""

SecretName = Annotated[str, typer.Argument(metavar="NAME", help="Of the secret.", show_default=False)]
File = Annotated[str, typer.Option("--file", metavar="FILE", help="The value, to the last byte.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Also if a function asks for it, which then starts no more.")]


@app.command("set", cls=VerbCommand, epilog=SET)
def set_secret(
    name: SecretName, *, file: File = "", url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False
) -> None:
    """Set a secret, or another value of it.

    It is read from --file, from stdin without the newline at its end, or on a terminal asked for and not shown. It is
    no argument, as those are seen by others on the machine and kept by shells. Functions that ask for it are given the
    new value from now on; what runs finishes with the old one.
    """
    value, path = _read(name, file), f"/api/secrets/{quoted(name)}"
    with Client(url, token) as client:
        row = client.put(path, value)
    users = ", ".join(row["functions"])
    if as_json:
        show_json(row)
    elif users:
        say(f"{name} is set; from now on it is given to {users}.", "green")
    else:
        say(f"{name} is set.", "green")
        say(f'  Try: secrets = {{ {name} = "{"file" if "-" in name else "env"}" }} in function.toml, and deploy')


@app.command("list", cls=VerbCommand, epilog=LIST)
def list_secrets(*, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """List the secrets there are, and who asks for them; never what they are."""
    with Client(url, token) as client:
        rows = client.json("GET", "/api/secrets")
    if as_json:
        show_json(rows)
    elif not rows:
        say("There is no secret.")
        say("  Try: attacca secret set NAME")
    else:
        from attacca.kernel.clock import SystemClock

        show(rows, SystemClock().wall())


@app.command("delete", cls=VerbCommand, epilog=DELETE)
def delete(
    name: SecretName, *, force: Force = False, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False
) -> None:
    """Delete a secret."""
    with Client(url, token) as client:
        client.json("DELETE", f"/api/secrets/{quoted(name)}{'?force=true' if force else ''}")
    if as_json:
        show_json({"deleted": name})
    else:
        say(f"{name} is deleted.", "green")


def show(rows: list[dict[str, Any]], now: float, width: int | None = None) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("name")
    table.add_column("set", justify="right", style="dim")
    table.add_column("given to", overflow="fold")
    for row in rows:
        name = marked("[cyan]{}[/]", row["name"])
        table.add_row(name, f"{seconds(now - row['set_at'])} ago", ", ".join(row["functions"]) or "-")
    console(width=width).print(table)


def _read(name: str, file: str) -> bytes:
    most = SECRET_KB << 10
    if file:
        try:
            with Path(file).open("rb") as source:
                value = source.read(most + 1)
        except OSError as error:
            hint = f"attacca secret set {name} --file FILE"
            raise BadRequest(f"{file!r} cannot be read: {error.strerror}", hint) from None
    elif sys.stdin.isatty():
        value = typer.prompt(name, hide_input=True, err=True).encode(errors="surrogateescape")
    else:
        value = sys.stdin.buffer.read(most + 3).removesuffix(b"\n").removesuffix(b"\r")
    if not value:
        raise BadRequest(f"{name} has no value", f"attacca secret set {name} --file FILE")
    if len(value) > most:
        raise PayloadTooLarge(f"a secret has at most {SECRET_KB} KB", "what is larger is no secret but data")
    return value
