"""`attacca dead`: asynchronous calls that failed for good: look at them, try them anew, let them go."""

from typing import Annotated, Any

import typer

from attacca.cli.command import VerbCommand, VerbGroup
from attacca.cli.functions.later import Limit, as_text, rows, show_rows
from attacca.cli.options import DEFAULT_URL, Json, MaybeName, Token, Url
from attacca.cli.screens.terminal import console, marked, milliseconds, say, show_json
from attacca.client.http import Client, quoted
from attacca.errors import BadConfig

app = typer.Typer(
    cls=VerbGroup,
    help="List, show, retry and delete calls that failed and are not tried again. Their requests are kept.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
LIST = """
attacca dead list
attacca dead list hello --json | jq '.[].why'
"""
SHOW = "attacca dead show 124bbd9f53a679c513994487370f6258"
RETRY = """
attacca dead retry 124bbd9f53a679c513994487370f6258
attacca dead retry --all hello  # after a deployment that mends it
"""
DELETE = """
attacca dead delete 124bbd9f53a679c513994487370f6258
attacca dead delete --all hello
"""
ALL_MOST = 10_000
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Of the calls.", show_default=False)]
AllOf = Annotated[str, typer.Option("--all", metavar="NAME", help="All dead calls of a function.", show_default=False)]
One = Annotated[str, typer.Argument(metavar="ID", help="Of the call.", show_default=False)]


@app.command("list", cls=VerbCommand, epilog=LIST)
def list_dead(
    name: MaybeName = "", *, limit: Limit = 50, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False
) -> None:
    """List the dead calls, the newest first."""
    with Client(url, token) as client:
        known = rows(client, name, "dead", limit)
    if as_json:
        show_json(known)
    elif known:
        show_rows(known)
    else:
        say(f"No call{' of ' + name if name else ''} is dead.", "green")


@app.command("show", cls=VerbCommand, epilog=SHOW)
def show(call: One, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Show what was asked, what the attempts came to, and why it failed."""
    with Client(url, token) as client:
        detail = client.json("GET", f"/api/async/{quoted(call)}")
    if as_json:
        show_json(detail)
    else:
        show_detail(detail)


@app.command("retry", cls=VerbCommand, epilog=RETRY)
def retry(
    calls: Ids = None, *, every: AllOf = "", url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False
) -> None:
    """Try dead calls anew, with all their attempts before them."""
    with Client(url, token) as client:
        done = [each for each in which(client, calls or [], every) if client.json("POST", f"/api/async/{each}/retry")]
    told(done, "tried anew", as_json=as_json)


@app.command("delete", cls=VerbCommand, epilog=DELETE)
def delete(
    calls: Ids = None, *, every: AllOf = "", url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False
) -> None:
    """Forget dead calls, and what was asked with them."""
    with Client(url, token) as client:
        done = [each for each in which(client, calls or [], every) if client.json("DELETE", f"/api/async/{each}")]
    told(done, "deleted", as_json=as_json)


def which(client: Client, calls: list[str], every: str) -> list[str]:
    """
    Raises:
        BadConfig: it is not said which.
    """
    if bool(calls) == bool(every):
        raise BadConfig("which calls?", "give their ids, or --all NAME; attacca dead list shows them")
    return [quoted(call) for call in calls] or [row["id"] for row in rows(client, every, "dead", ALL_MOST)]


def told(done: list[str], what: str, *, as_json: bool) -> None:
    if as_json:
        show_json(done)
    else:
        say(f"{len(done)} call{'s' * (len(done) != 1)} {what}.", "green")


def show_detail(detail: dict[str, Any], width: int | None = None) -> None:
    screen, call = console(width=width), detail["call"]
    line = "[bold cyan]{}[/] [dim]of[/] {} [dim]·[/] {} [dim]·[/] {} attempts"
    screen.print(marked(line, call["id"], call["function"], call["state"], call["attempts"]))
    for attempt in detail["tries"]:
        screen.print(
            marked("[dim]{}[/] {} [dim]{} ms[/]", attempt["id"], attempt["outcome"], milliseconds(attempt["total_ms"]))
        )
    if call["why"]:
        screen.print(marked("[red]{}[/]", call["why"]))
    if detail["traceback"]:
        screen.print(marked("[dim]{}[/]", detail["traceback"]))
    if detail["body"] is not None:
        query = f"?{detail['query']}" if detail["query"] else ""
        screen.print(marked("\n[dim]{} {}[/]", detail["method"], detail["path"] + query))
        screen.print(marked("{}", as_text(detail["body"])))
