"""`attacca delete`: a function goes; what runs of it may finish."""

import sys
from typing import Annotated

import typer

from attacca.cli.options import DEFAULT_URL, Json, Name, Token, Url
from attacca.cli.screens.terminal import say, show_json
from attacca.client.http import Client, quoted
from attacca.errors import BadRequest

EXAMPLES = """
attacca delete hello
attacca delete hello --yes  # in a script
"""


def run(
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Delete a function with all its revisions.

    Invocations that run may finish; those that wait are refused.
    """
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise BadRequest(f"{name!r} is not deleted: nobody is here to confirm it", f"attacca delete {name} --yes")
        if not typer.confirm(f"Delete {name} with all its revisions?", err=True):
            raise typer.Exit(1)
    with Client(url, token) as client:
        client.json("DELETE", f"/api/functions/{quoted(name)}")
    if as_json:
        show_json({"deleted": name})
    else:
        say(f"{name} is deleted.", "green")
