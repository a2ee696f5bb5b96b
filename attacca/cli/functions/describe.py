"""`attacca describe`: everything about one function: settings, revisions, statistics."""

from typing import Any

from attacca.cli.options import DEFAULT_URL, Json, Name, Token, Url
from attacca.cli.screens.terminal import (
    STARTS,
    console,
    counted,
    marked,
    milliseconds,
    seconds,
    show_json,
    visible,
    wants,
)
from attacca.client.http import Client, quoted
from attacca.model.function import MASK

EXAMPLES = """
attacca describe hello
attacca describe hello --json | jq .statistics.cold_ms
"""
SETTINGS = {  # how each setting reads
    "memory_mb": "memory, MB",
    "timeout_s": "timeout, s",
    "first_byte_s": "first byte within, s",
    "wait_s": "waits at most, s",
    "concurrency": "at once in a sandbox",
    "min_sandboxes": "sandboxes, at least",
    "max_sandboxes": "sandboxes, at most",
    "cpus": "CPUs",
    "queue": "queue",
    "network": "network",
    "idempotent": "idempotent",
    "scheduling": "scheduling by the",
}
AS_SERVER = "as the server has it"
UNSET = {"first_byte_s": "no clock of its own", "max_sandboxes": "as many as memory holds", "cpus": "an equal share"}


def run(name: Name, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Show a function's settings, its revisions, and how it has been doing."""
    with Client(url, token) as client:
        detail = client.json("GET", f"/api/functions/{quoted(name)}")
        at = "" if as_json else client.function_at(detail["function"])
    if as_json:
        show_json(detail)
    else:
        from attacca.kernel.clock import SystemClock

        show(detail, at, SystemClock().wall())


def show(detail: dict[str, Any], at: str, now: float, width: int | None = None) -> None:
    screen = console(width=width)
    what = "[bold cyan]{}[/] [dim]revision[/] {} [dim]·[/] {} [dim]·[/] {}"
    what += " [dim]·[/] has requirements" * bool(detail["has_requirements"])
    screen.print(marked(what, detail["function"], detail["revision"], detail["handler"], wants(detail)))
    screen.print(marked("[dim]{}[/]", at))
    if detail.get("lies_on"):
        screen.print(marked("[dim]lies on[/] {}", ", ".join(detail["lies_on"])), soft_wrap=True)
    screen.print()
    statistics = detail.get("statistics")
    is_reserved = statistics is not None and detail["settings"].get("scheduling") != "cluster"
    screen.print(settings_table(detail["settings"], statistics.get("kept") if statistics and is_reserved else None))
    screen.print()
    screen.print(revisions_table(detail["revisions"], now))
    screen.print()
    if statistics and statistics["invocations"]:
        screen.print(_counts(statistics))
        screen.print(statistics_table(statistics))
    else:
        screen.print(marked("[dim]Not invoked yet. Try:[/] attacca invoke {}", detail["function"]))


def accelerators(settings: dict[str, Any]) -> str:
    memory_mb, either = settings.get("gpu_memory_mb"), len(settings.get("compute") or ()) > 1
    return f"{settings['gpu']:g}{f', {memory_mb} MB of it' if memory_mb else ''}{', or none' if either else ''}"


def settings_table(settings: dict[str, Any], kept: int | None = None) -> Any:
    """`kept`: how many of its min_sandboxes the workers have room for."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for key, label in SETTINGS.items():
        value = settings[key]
        is_short = key == "min_sandboxes" and kept is not None and kept < value
        said = f"{value}, but there is room for {kept}" if is_short else _plain(value)
        table.add_row(label, UNSET[key] if value is None else said)
    if settings.get("scheduling") == "cluster":
        chosen = settings["scaling"]
        options = ", ".join(f"{key} {value}" for key, value in chosen.items() if key != "policy")
        scaling = visible(f"{chosen.get('policy', AS_SERVER)}{f' ({options})' if options else ''}")
        table.add_row("scaling", Text(scaling))
        table.add_row("placement", Text(visible(settings["placement"] or AS_SERVER)))
    if settings.get("schedule"):
        table.add_row("runs by itself at", Text(visible(f"{', '.join(settings['schedule'])} ({settings['timezone']})")))
    for key, label in (("image", "image"), ("allow", "reaches alone"), ("publish", "ports of its worker")):
        if value := settings.get(key):
            table.add_row(label, Text(visible(value if isinstance(value, str) else ", ".join(value))))
    if settings.get("gpu"):
        table.add_row("accelerators", Text(accelerators(settings)))
    if settings.get("bandwidth_mbps"):
        table.add_row("bandwidth, Mbit/s", _plain(settings["bandwidth_mbps"]))
    if settings["env"]:
        table.add_row("environment", Text(visible(", ".join(f"{key}={MASK}" for key in settings["env"]))))
    if secrets := settings.get("secrets"):
        table.add_row("secrets", Text(visible(", ".join(f"{name} as {kind}" for name, kind in secrets.items()))))
    return table


def revisions_table(revisions: list[dict[str, Any]], now: float) -> Any:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("rev", justify="right")
    table.add_column("")
    table.add_column("deployed", style="dim", justify="right")
    table.add_column("handler")
    table.add_column("changed", style="dim", overflow="fold")
    for row in revisions:
        table.add_row(
            str(row["revision"]),
            marked("[green]current[/]") if row["is_current"] else "",
            f"{seconds(now - row['deployed_at'])} ago",
            row["handler"],
            ", ".join(row["changes"]),
        )
    return table


def _counts(view: dict[str, Any]) -> Any:
    """Numbers alone, so nothing of it is from outside."""
    starts = [f"[{colour}]{start}[/] {view[start]}" for start, colour in STARTS.items() if view[start]]
    now = [f"{view[what]} {what}" for what in ("queued", "running", "idle") if view[what]]
    errors = f" [dim]·[/] [red]errors[/] {view['errors']}" if view["errors"] else ""
    here = f" [dim]· now[/] {', '.join(now)}" if now else ""
    said = f"[bold]{counted(view['invocations'], 'invocation')}[/] [dim]·[/] {' [dim]·[/] '.join(starts)}{errors}{here}"
    return marked(said)


def statistics_table(view: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    for heading in ("count", "mean", "recent", "p50", "p95", "p99", "max"):
        table.add_column(heading, justify="right")
    rows = (
        ("handler, ms", "exec_ms"),
        ("cold start, ms", "cold_ms"),
        ("warm start, ms", "warm_ms"),
        ("gap, s", "gap_s"),
    )
    for label, key in rows:
        times = view[key]
        if times["count"]:
            cells = (milliseconds(times[part]) for part in ("mean", "ewma", "p50", "p95", "p99", "max"))
            table.add_row(label, str(times["count"]), *cells)
    return table


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
