"""`attacca call`: calls whose answers are fetched later: how they stand, what came of them."""

import sys
from typing import Annotated, Any

import typer

from attacca.cli.command import Refused, VerbCommand, VerbGroup
from attacca.cli.functions.later import CallId, Limit, State, at_gateway, rows, show_rows
from attacca.cli.options import DEFAULT_URL, Json, MaybeName, Token, Url
from attacca.cli.screens.terminal import console as screen
from attacca.cli.screens.terminal import marked, milliseconds, say, show_json
from attacca.client.http import Client, quoted

app = typer.Typer(
    cls=VerbGroup,
    help="Look at calls made with `attacca invoke --async`, wait for them, fetch their answers, cancel them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
LIST = """
attacca call list
attacca call list hello --state waiting
attacca call list --json | jq '.[] | select(.attempts > 1)'
"""
SHOW = "attacca call show 124bbd9f53a679c513994487370f6258"
WAIT = """
attacca call wait 124bbd9f53a679c513994487370f6258
attacca call wait 124bbd9f53a679c513994487370f6258 --timeout 300 > answer.json
"""
CANCEL = "attacca call cancel 124bbd9f53a679c513994487370f6258"
STEP_S = 20  # of a longer wait
Timeout = Annotated[int, typer.Option("--timeout", min=0, metavar="SECONDS", help="Wait so long at most.")]


@app.command("list", cls=VerbCommand, epilog=LIST)
def list_calls(
    name: MaybeName = "", *, state: State = "", limit: Limit = 50, url: Url = DEFAULT_URL, token: Token = "",
    as_json: Json = False,
) -> None:  # fmt: skip
    """List the latest calls, the newest first."""
    with Client(url, token) as client:
        known = rows(client, name, state, limit)
    if as_json:
        show_json(known)
    elif not known:
        say("There is no such call.")
        say(f"  Try: attacca invoke --async {name or 'NAME'}")
    else:
        show_rows(known)


@app.command("show", cls=VerbCommand, epilog=SHOW)
def show(call: CallId, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Show how a call stands, what its attempts came to, and its answer."""
    with Client(url, token) as client:
        status = at_gateway(client, "GET", f"/calls/{quoted(call)}")
    if as_json:
        show_json(status)
    else:
        show_status(status)


@app.command("wait", cls=VerbCommand, epilog=WAIT)
def wait(
    call: CallId, *, timeout: Timeout = 60, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False
) -> None:
    """Wait until a call is over, and write its answer to stdout, byte for byte."""
    with Client(url, token) as client:
        status, left_s = at_gateway(client, "GET", f"/calls/{quoted(call)}"), timeout
        while status["status"] in ("waiting", "running") and left_s > 0:
            status = at_gateway(client, "GET", f"/calls/{quoted(call)}?wait={min(left_s, STEP_S)}")
            left_s -= STEP_S
        if as_json:
            show_json(status)
        elif "result" in status:
            answer = client.request("GET", f"/calls/{quoted(call)}/result")
            sys.stdout.flush()
            sys.stdout.buffer.write(answer.body)
            sys.stdout.buffer.flush()
    if status["status"] != "done":
        why = f": {status['why']}" if status.get("why") else ""
        say(f"Call {call} is {status['status']}{why}.", "red")
        raise Refused


@app.command("cancel", cls=VerbCommand, epilog=CANCEL)
def cancel(call: CallId, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Cancel a call that is not over; what runs is ended."""
    with Client(url, token) as client:
        said = at_gateway(client, "DELETE", f"/calls/{quoted(call)}")
    if as_json:
        show_json(said)
    else:
        say(f"Call {call} is cancelled.", "green")


def show_status(status: dict[str, Any], width: int | None = None) -> None:
    out = screen(width=width)
    line = "[bold cyan]{}[/] [dim]of[/] {} [dim]·[/] {} [dim]·[/] {} attempts"
    out.print(marked(line, status["id"], status["function"], status["status"], status["attempts"]))
    for attempt in status["tries"]:
        out.print(marked("[dim]{}[/] {} {} [dim]{} ms[/] {}", attempt["id"], attempt["status"], attempt["outcome"],
                         milliseconds(attempt["total_ms"]), attempt["why"]))  # fmt: skip
    if status.get("why"):
        out.print(marked("[red]{}[/]", status["why"]))
    if status.get("callback"):
        out.print(marked("[dim]callback[/] {}", status["callback"]))
    if "result" in status:
        say("The answer: ", "dim")
        show_json(status["result"])
