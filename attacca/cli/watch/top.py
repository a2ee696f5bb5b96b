"""`attacca top`: workers, functions and sandboxes, live."""

from typing import Annotated, Any

import typer

from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screens.choosing import LOOKS, Chosen, Past, Sort, hour
from attacca.cli.screens.machines import devices
from attacca.cli.screens.terminal import console, counted, marked, milliseconds, seconds, show_json, visible
from attacca.client.http import Client

EXAMPLES = """
attacca top
attacca top --every 0.2
attacca top --sort p99 --find shop
attacca top --once  # one picture, no screen
attacca top --json | jq '.[0].used_mb'
"""
WIDE = 100  # columns that the whole of it needs
WIDER = WIDE + LOOKS + 2  # with a curve of each function
ONE_BY_ONE = 100  # sandboxes on one picture without a screen: a row takes a few milliseconds, and most are idle
HISTORY_LOOKS = 10  # of a second, after which the hour has changed
PHASES = {"busy": "green", "idle": "dim", "starting": "yellow", "making": "yellow"}


def run(
    *,
    sort: Annotated[Sort, typer.Option("--sort", help="The largest first; name: from a to z.")] = Sort.RUNNING,
    find: Annotated[str, typer.Option("--find", metavar="TEXT", help="Functions with this in their name.")] = "",
    every_s: Annotated[float, typer.Option("--every", metavar="SECONDS", min=0.05, help="How often.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print one picture and end.")] = False,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Watch workers, functions and sandboxes until q or Ctrl-C. Keys: s sorts by the next column, r the other way
    round, / finds functions by their names, Esc shows all of them again."""
    with Client(url, token) as client:
        views = client.json("GET", "/api/workers")
        if as_json:
            show_json(views)
            return
        screen, chosen = console(), Chosen(sort=sort, find=find)
        if once or not screen.is_terminal or screen.is_dumb_terminal:
            told = client.json("GET", "/api/history")
            screen.print(picture(views, client.url, width=screen.width, chosen=chosen, history=told))
            return
        watch(client, views, every_s, chosen)


def watch(client: Client, views: list[dict[str, Any]], every_s: float, chosen: Chosen) -> None:
    from rich.live import Live

    from attacca.cli.screens.keys import keys

    past, history, looks = Past(), client.json("GET", "/api/history"), 0
    past.see(overall([function for view in views for function in view["functions"]]))
    try:
        with keys() as pressed, Live(console=console(), screen=True, auto_refresh=False) as live:
            while not chosen.is_over:
                size = live.console.size
                shown = picture(views, client.url, size.height, size.width, chosen, history, past, has_keys=True)
                live.update(shown, refresh=True)
                if signs := pressed.wait(every_s):
                    for sign in signs:
                        chosen = chosen.press(sign)
                    continue
                views, looks = client.json("GET", "/api/workers"), looks + 1
                past.see(overall([function for view in views for function in view["functions"]]))
                if looks % max(int(HISTORY_LOOKS / every_s), 1) == 0:
                    history = client.json("GET", "/api/history")
    except KeyboardInterrupt:
        return


def picture(
    views: list[dict[str, Any]],
    url: str,
    rows: int = 0,
    width: int = WIDE,
    chosen: Chosen | None = None,
    history: dict[str, Any] | None = None,
    past: Past | None = None,
    *,
    has_keys: bool = False,
) -> Any:
    """Everything at once; `rows` is the height of the screen, 0: none. `past`: with a curve of each function."""
    from rich.console import Group
    from rich.text import Text

    chosen = chosen or Chosen()
    parts: list[Any] = [Text.assemble(("attacca top ", "bold"), (visible(url), "dim"))]
    parts += [Text(visible(chosen.line()), style="dim", no_wrap=True, overflow="ellipsis")] if has_keys else []
    lately = hour(history, 30 if width >= WIDE else 15) if history else ""
    parts += [Text(lately, no_wrap=True, overflow="ellipsis")] if lately else []
    for view in views:
        parts.append(worker_line(view, 24 if width >= WIDE else 0))
        parts += [machine_line(view["load"])] if view["load"] else []
        parts += [Text(device, style="dim", no_wrap=True, overflow="ellipsis") for device in devices(view)]
    functions = chosen.arranged(overall([function for view in views for function in view["functions"]]))
    sandboxes = busiest([one for view in views for one in view["sandboxes"] if chosen.holds(one["revision"])])
    fitting = functions[: max(rows - len(parts) - 9, 3)] if rows else functions
    room = max(rows - len(parts) - len(fitting) - 6, 3) if rows else ONE_BY_ONE
    table = functions_table(fitting, is_narrow=width < WIDE, past=past if width >= WIDER else None)
    parts += [Text(""), table]
    if len(functions) > len(fitting):
        parts.append(Text(f"and {len(functions) - len(fitting)} more functions", style="dim"))
    parts += [Text(""), sandboxes_table(sandboxes[:room])]
    if len(sandboxes) > room:
        parts.append(Text(f"and {len(sandboxes) - room} more", style="dim"))
    return Group(*parts)


def busiest(sandboxes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those first that run most, and then those that did so last."""
    return sorted(sandboxes, key=lambda row: (-row["busy"], row["idle_s"], row["id"]))


def overall(functions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each, over all workers: counts add up, and times are weighed by how often they were measured."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in functions:
        by_name.setdefault(row["function"], []).append(row)
    return [rows[0] if len(rows) == 1 else _summed(rows) for rows in by_name.values()]


def _summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    summed = {key: sum(row[key] for row in rows) for key, value in rows[0].items() if isinstance(value, int)}
    count = sum(row["exec_ms"]["count"] for row in rows) or 1
    times = {key: sum(row["exec_ms"][key] * row["exec_ms"]["count"] for row in rows) / count for key in ("p50", "p99")}
    return {**summed, "function": rows[0]["function"], "exec_ms": times}


def worker_line(view: dict[str, Any], width: int) -> Any:
    from rich.text import Text

    filled = min(width, round(width * view["used_mb"] / max(view["memory_mb"], 1)))
    return Text.assemble(
        (f"{visible(view['name'])} ", "bold cyan"),
        ("█" * filled, "green"), ("░" * (width - filled), "dim"), " " * bool(width),
        f"{view['used_mb']} of {view['memory_mb']} MB",
        (" · ", "dim"), f"{view['running']} running", (f" of {view['limit']} at once", "dim"),
        (" · ", "dim"), (f"{view['queued']} queued", "yellow" if view["queued"] else ""),
        (" · ", "dim"), counted(len(view["sandboxes"]), "sandbox"),
        (" · draining", "bold red") if view["draining"] else "",
    )  # fmt: skip


def machine_line(load: dict[str, Any]) -> Any:
    """Of the whole machine, whoever keeps it busy."""
    from rich.text import Text

    said = [
        f"cpu {load['cpu_share']:.0%}", f"load {load['load_1m']:.1f}", f"memory {load['memory_free_mb']} MB free",
        f"disk {load['disk_free_mb'] // 1024} GB free",
        f"network {load['received_mb_s']:.1f} MB/s in, {load['sent_mb_s']:.1f} out",
    ]  # fmt: skip
    said += [f"{load['watts']:.0f} W"] if load.get("watts") else []
    return Text(f"  {' · '.join(said)}", style="dim", no_wrap=True, overflow="ellipsis")


def functions_table(rows: list[dict[str, Any]], *, is_narrow: bool, past: Past | None = None) -> Any:
    """In the order in which they come."""
    from rich.table import Table

    columns = {
        "queued": [_count(row["queued"], "yellow") for row in rows],
        "running": [_count(row["running"], "green") for row in rows],
        "idle": [_count(row["idle"]) for row in rows],
        "templates": [_count(row["templates"]) for row in rows],
        "invoked": [_count(row["invocations"]) for row in rows],
        "cold": [_count(row["cold"], "red") for row in rows],
        "template": [_count(row["template"]) for row in rows],
        "warm": [_count(row["warm"] + row["prewarmed"]) for row in rows],
        "errors": [_count(row["errors"], "red") for row in rows],
        "p50 ms": [milliseconds(row["exec_ms"]["p50"]) for row in rows],
        "p99 ms": [milliseconds(row["exec_ms"]["p99"]) for row in rows],
    }
    if is_narrow:
        del columns["templates"]
    if past is not None:
        columns["lately"] = [past.curve(row["function"]) for row in rows]
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1 if is_narrow else 2, 0, 0))
    table.add_column("function", style="cyan", no_wrap=True, overflow="ellipsis")
    for heading in columns:
        shown = heading.removesuffix(" ms") if is_narrow else heading
        table.add_column(shown, justify="right", no_wrap=True, min_width=len(shown))
    for name, *cells in zip((row["function"] for row in rows), *columns.values(), strict=True):
        table.add_row(name, *cells)
    return table


def sandboxes_table(sandboxes: list[dict[str, Any]]) -> Any:
    """In the order in which they come."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("sandbox", no_wrap=True)
    table.add_column("revision", style="cyan", no_wrap=True)
    table.add_column("phase", no_wrap=True)
    for heading in ("memory", "busy", "served", "age", "idle"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in sandboxes:
        phase = str(row["phase"])
        colour = PHASES.get(phase, "")
        shown = marked(f"[{colour}]{{}}[/]", phase) if colour else phase
        table.add_row(
            row["id"], row["revision"], shown, _memory(row),
            _count(row["busy"], "green"), _count(row["served"]), seconds(row["age_s"]), seconds(row["idle_s"]),
        )  # fmt: skip
    return table


def _memory(row: dict[str, Any]) -> str:
    """What it has of what it reserves, where that is measured."""
    use = row.get("use")
    return f"{row['memory_mb']} MB" if use is None else f"{use['memory_mb']:.0f} of {row['memory_mb']} MB"


def _count(value: int, colour: str = "") -> Any:
    if not value:
        return marked("[dim]·[/]")
    return marked(f"[{colour}]{{}}[/]", value) if colour else str(value)
