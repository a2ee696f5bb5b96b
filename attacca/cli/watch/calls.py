"""`attacca calls`: recent invocations, how each started and why, and where its time went."""

import urllib.parse
from typing import Annotated, Any, Literal

import typer

from attacca.cli.options import DEFAULT_URL, Csv, Json, MaybeName, Token, Url
from attacca.cli.screens.terminal import (
    PARTS,
    PARTS_AND_REST,
    REST,
    SELDOM,
    STARTS,
    bar,
    console,
    marked,
    milliseconds,
    say,
    seconds,
    show_csv,
    show_json,
    split,
    visible,
)
from attacca.client.http import Client, quoted

EXAMPLES = """
attacca calls hello
attacca calls --limit 50  # of all functions
attacca calls --limit 10000 --csv > calls.csv
attacca calls hello --json | jq '.[] | select(.start == "cold") | .timing'
"""
BAR_WIDTH, SHORT_BAR_WIDTH = 16, 8
WIDE = 110  # columns that the numbers of all parts need


def run(
    name: MaybeName = "",
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, metavar="N", help="At most so many.")] = 20,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """Show recent invocations, the newest last.

    Where the worker measures energy, with the joules that each took, a second or two after it has ended.

    Times are in milliseconds: waiting in the queue, choosing a place, making the sandbox, its network, bringing an
    image, bringing the code, importing it, waiting until it takes invocations, running the handler.
    """
    query = urllib.parse.urlencode({**({"function": name} if name else {}), "limit": limit})
    with Client(url, token) as client:
        rows = client.json("GET", f"/api/calls?{query}")
        if name and not rows:
            client.json("GET", f"/api/functions/{quoted(name)}")  # if it does not exist, that is what there is to say
    if as_json:
        show_json(rows)
    elif as_csv:
        show_csv(rows)
    elif not rows:
        say(f"Nothing has been invoked{' of ' + name if name else ''} yet.")
        say(f"  Try: attacca invoke {name or 'NAME'}")
    else:
        from attacca.kernel.clock import SystemClock

        show(rows, SystemClock().wall(), with_function=not name)


def show(rows: list[dict[str, Any]], now: float, *, with_function: bool = False, width: int | None = None) -> None:
    screen = console(width=width)
    has_room = screen.width >= WIDE
    screen.print(table(rows, now, with_function=with_function, with_parts=has_room))
    screen.print(legend([split(row["timing"]) for row in rows]))
    if not has_room:
        screen.print(marked("[dim]The numbers of each part need a wider terminal, or --json.[/]"))


def table(rows: list[dict[str, Any]], now: float, *, with_function: bool, with_parts: bool) -> Any:
    """Every column but the last is as wide as it needs; a long reason gives way."""
    from rich.table import Table
    from rich.text import Text

    rows = sorted(rows, key=lambda row: float(row["at"]))
    timings = [split(row["timing"]) for row in rows]
    layout = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0), expand=True)

    def column(
        name: str, cells: list[str], style: str = "", header_style: str = "bold", *, right: bool = False
    ) -> None:
        width = max(len(text) for text in (name, *cells))
        justify: Literal["left", "right"] = "right" if right else "left"
        layout.add_column(name, style=style, header_style=header_style, justify=justify, no_wrap=True, min_width=width)

    columns: list[list[Any]] = []
    for name, cells, style, right in (
        ("when", [f"{seconds(now - row['at'])} ago" for row in rows], "dim", True),
        ("id", [row["id"] for row in rows], "dim", False),
        *([("function", [row["function"] for row in rows], "cyan", False)] if with_function else []),
        ("status", [str(row["status"]) for row in rows], "", True),
        ("start", [row["start"] or "-" for row in rows], "", False),
    ):
        column(name, cells, style, right=right)
        columns.append(cells)
    columns[-2] = [_status(row) for row in rows]
    columns[-1] = [_start(row) for row in rows]
    for part, colour in told(timings).items() if with_parts else ():
        columns.append([milliseconds(timing[part]) for timing in timings])
        column(part, columns[-1], header_style=f"bold {colour}", right=True)
    columns.append([milliseconds(row["total_ms"]) for row in rows])
    column("total", columns[-1], right=True)
    if any(row.get("energy_j") is not None for row in rows):
        columns.append([_joules(row) for row in rows])
        column("joules", columns[-1], right=True)
    width = BAR_WIDTH if with_parts else SHORT_BAR_WIDTH
    layout.add_column("", no_wrap=True, min_width=width)
    columns.append([stacked(timing, row["total_ms"], width) for timing, row in zip(timings, rows, strict=True)])
    layout.add_column("why", style="dim", overflow="ellipsis", no_wrap=True, ratio=1)
    columns.append([Text(visible(row["why"])) for row in rows])  # the text of a user's exception is no markup
    for row_cells in zip(*columns, strict=True):
        layout.add_row(*row_cells)
    return layout


def stacked(timing: dict[str, float], total_ms: float, width: int) -> Any:
    """Each part's share of the whole; what is left is what passed between the parts."""
    from rich.text import Text

    rest = max(total_ms - sum(timing.values()), 0.0)
    text = Text()
    for colour, cells in bar({**timing, REST: rest}, width):
        text.append(("─" if colour == PARTS_AND_REST[REST] else "━") * cells, style=colour)
    return text


def told(timings: list[dict[str, float]]) -> dict[str, str]:
    """Of the parts those that have a column: what only some starts have, where one of these has it."""
    return {
        part: colour
        for part, colour in PARTS.items()
        if part not in SELDOM or any(timing[part] > 0 for timing in timings)
    }  # fmt: skip


def legend(timings: list[dict[str, float]]) -> Any:
    from rich.text import Text

    text = Text("ms; ", style="dim")
    for part, colour in told(timings).items():
        text.append("━ ", style=colour)
        text.append(f"{part} ", style="dim")
    text.append("─ on the way", style="dim")
    return text


def _joules(row: dict[str, Any]) -> str:
    """And how far off that may be."""
    joules = row.get("energy_j")
    return "" if joules is None else f"{joules:.3g} ±{row.get('energy_error_j') or 0.0:.2g}"


def _status(row: dict[str, Any]) -> Any:
    from rich.text import Text

    is_fine = row["outcome"] == "ok" and row["status"] < 400
    return Text(str(row["status"]), style="green" if is_fine else "red")


def _start(row: dict[str, Any]) -> Any:
    from rich.text import Text

    start = row["start"]
    if start is None:
        return Text("-", style="dim")
    return Text(visible(start), style=STARTS.get(start, ""))
