"""`attacca rollback`: an earlier revision becomes the current one again."""

from typing import Annotated

import typer

from attacca.cli.options import DEFAULT_URL, Json, Name, Token, Url
from attacca.cli.screens.terminal import say, show_json
from attacca.client.http import Client, quoted

EXAMPLES = """
attacca rollback hello  # to the one before
attacca rollback hello --to 3
attacca describe hello  # which revisions there are
"""


def run(
    name: Name,
    *,
    to: Annotated[
        int | None,
        typer.Option(
            "--to", metavar="N", min=1, help="The revision to go to. Default: the one before.", show_default=False
        ),
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Go back to an earlier revision; invocations that run finish on the one they began with."""
    with Client(url, token) as client:
        now = client.json("POST", f"/api/functions/{quoted(name)}/rollback", {"to": to})
    if as_json:
        show_json(now)
    else:
        say(f"{name} is at revision {now['revision']} again ({now['handler']}); it was at {now['replaced']}.", "green")
