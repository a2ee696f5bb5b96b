"""`attacca prewarm`: idle sandboxes are made ahead of need."""

from typing import Annotated

import typer

from attacca.cli.options import DEFAULT_URL, Json, Name, Token, Url
from attacca.cli.screens.terminal import say, show_json
from attacca.client.http import Client, quoted

EXAMPLES = """
attacca prewarm hello -n 3
attacca prewarm hello -n 50 && attacca invoke hello -n 50 -c 50  # none of them has a cold start
"""


def run(
    name: Name,
    *,
    count: Annotated[int, typer.Option("-n", "--count", min=1, metavar="N", help="How many more.")] = 1,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Make idle sandboxes of a function, so that the next invocations find them ready."""
    with Client(url, token) as client:
        client.json("POST", f"/api/functions/{quoted(name)}/prewarm", {"count": count})
    if as_json:
        show_json({"function": name, "count": count})
    else:
        say(f"{count} more sandbox{'es' * (count > 1)} of {name} asked for; attacca top shows them come.", "green")
