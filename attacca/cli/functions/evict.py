"""`attacca evict`: idle sandboxes of a function go."""

from typing import Annotated

import typer

from attacca.cli.options import DEFAULT_URL, Json, Name, Token, Url
from attacca.cli.screens.terminal import say, show_json
from attacca.client.http import Client, quoted

EXAMPLES = """
attacca evict hello  # the next start comes from a template, if there is one
attacca evict hello --templates && attacca invoke hello -i  # see a cold start
"""


def run(
    name: Name,
    *,
    templates: Annotated[
        bool, typer.Option("--templates", help="Its templates too: the next start is cold and imports anew.")
    ] = False,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Let a function's idle sandboxes go. What runs is not touched."""
    with Client(url, token) as client:
        client.json("POST", f"/api/functions/{quoted(name)}/evict", {"templates": templates})
    if as_json:
        show_json({"function": name, "templates": templates})
    else:
        if templates:
            say(f"idle sandboxes and templates of {name} go; the next start is a cold one.", "green")
        else:
            say(f"idle sandboxes of {name} go; the next start is from a template, if there is one.", "green")
