"""`attacca explain`: the story of one invocation or one sandbox, and the reason of each decision on it."""

from typing import Annotated, Any

import typer

from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screens.terminal import put, show_json, visible
from attacca.client.http import Client, quoted

EXAMPLES = """
attacca calls hello  # says which invocations there were
attacca explain 7c1e-42  # what happened to one, and why
attacca top  # says which sandboxes there are
attacca explain 7c1e-s3
attacca explain 7c1e-42 --json | jq '.call.reasons'
"""


def run(
    subject: Annotated[str, typer.Argument(metavar="ID", help="Of an invocation or a sandbox.", show_default=False)],
    *,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Tell what happened to an invocation or a sandbox, and why: every event and every order in which it is named.

    The latest events are remembered, several thousand in each part of the server; what is older is not told any more.
    """
    with Client(url, token) as client:
        story = client.json("GET", f"/api/explain/{quoted(subject)}")
    if as_json:
        show_json(story)
        return
    for line in lines(story):
        put(line)


def lines(story: dict[str, Any]) -> list[str]:
    """Times are in milliseconds, from the first moment that is remembered."""
    moments = story["moments"]
    shown = [
        f"{(moment['at'] - moments[0]['at']) * 1e3:12.3f} ms  {visible(moment['where']):<8} "
        f"{visible(moment['what']):<28} {visible(moment['about'])}".rstrip()
        for moment in moments
    ]
    call = story["call"] or {}
    reasons, traced = call.get("reasons", {}), call.get("traced")
    why = [f"{f'why this {part}':>15}  {visible(reason)}" for part, reason in reasons.items() if reason]
    if traced:
        sent = ", handed on for the collector" if traced["is_sent"] else ""
        why.append(f"{'trace':>15}  {visible(traced['trace'])}{sent}")
    if traced and traced["page"]:
        why.append(f"{'':>15}  {visible(traced['page'])}")
    return [*shown, *([""] if shown and why else []), *why]
