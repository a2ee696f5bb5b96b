"""`attacca logs`: what a function wrote, and with -f what it writes from now on."""

import re
import sys
from typing import Annotated, Any, TextIO

import typer

from attacca.cli.options import DEFAULT_URL, Json, Name, Token, Url
from attacca.cli.screens.terminal import is_coloured, joined, json_text, paint, put
from attacca.client.http import Client, quoted
from attacca.errors import BadConfig

EXAMPLES = """
attacca logs hello
attacca logs hello -f  # until Ctrl-C
attacca logs hello --since 10m
attacca logs hello --json | jq -r 'select(.stream == "stderr") | .text'
"""
YEARS_S = 315_360_000  # ten of them
UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
COLOURS = {"stdout": "", "stderr": "yellow", "warning": "yellow", "error": "red", "critical": "red", "debug": "dim"}


def run(
    name: Name,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")] = False,
    since: Annotated[
        str, typer.Option("--since", metavar="SPAN", help="Only what is younger: 30s, 10m, 2h, 1d.", show_default=False)
    ] = "",
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Show what a function wrote: its stdout, stderr and logging, with the invocation that wrote it."""
    with Client(url, token) as client:
        path = address(name, since_s=span(since) if since else None, follow=follow)
        try:
            for line in client.lines("GET", path):
                if as_json:
                    show_raw(line)
                else:
                    put(rendered(line, sys.stdout))
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


def address(name: str, *, since_s: float | None, follow: bool) -> str:
    query = [] if since_s is None else [f"since={since_s:g}"]
    query += ["follow=true"] * follow
    return f"/api/functions/{quoted(name)}/logs" + ("?" + "&".join(query) if query else "")


def show_raw(line: dict[str, Any]) -> None:
    sys.stdout.write(json_text(line) + "\n")
    sys.stdout.flush()


def rendered(line: dict[str, Any], stream: TextIO) -> str:
    """`12:30:01.250 9f3a-1 stdout  text`, with the stream's colour on the text; without colours, to the letter."""
    import datetime

    at = datetime.datetime.fromtimestamp(line["at"], datetime.UTC).astimezone()
    clock = at.strftime("%H:%M:%S.") + f"{at.microsecond // 1000:03d}"
    who = line["invocation"] or line["sandbox"]
    kind = str(line["stream"]).lower()
    colour = COLOURS.get(kind, "")
    text = str(line["text"]).rstrip("\n")
    head = f"{clock} {who} {kind:<6} "
    if not is_coloured(stream):
        return head + text
    return joined(paint(head, "dim", stream), paint(text, colour, stream) if colour else text)


def span(text: str) -> float:
    """Seconds in `90`, `30s`, `10m`, `2h` or `1d`.

    Raises:
        BadConfig: it is not written like that.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd]?)", text.strip())
    if not match:
        raise BadConfig(f"--since {text[:80]!r} is not a span of time", "--since 30s, or 10m, 2h, 1d")
    length_s = float(match[1]) * UNITS_S[match[2] or "s"]
    if length_s > YEARS_S:
        raise BadConfig(f"--since {text[:80]!r} is longer ago than anything is kept", "leave it out to see all")
    return length_s
