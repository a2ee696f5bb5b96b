"""`attacca status`: the planes of a cluster, who leads it, and how busy its workers are."""

from typing import Any

from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screens.terminal import console, counted, marked, show_json, visible
from attacca.client.http import Client

EXAMPLES = """
attacca status
attacca status --json | jq -r '.workers[] | select(.silent) | .name'
"""


def run(*, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Show control, gateways and workers, also when there is one of each."""
    with Client(url, token) as client:
        cluster = client.json("GET", "/api/cluster")
        where = client.url
    if as_json:
        show_json(cluster)
    else:
        show(cluster, where)


def show(cluster: dict[str, Any], where: str, width: int | None = None) -> None:
    from rich.table import Table

    screen = console(width=width)
    leader = cluster["leader"] or where
    functions = counted(cluster["functions"], "function")
    screen.print(marked("[bold]control[/]  [cyan]{}[/]  leads (term {}), {}", leader, cluster["term"], functions))
    for gateway in cluster["gateways"]:
        screen.print(marked("[bold]gateway[/]  [cyan]{}[/]  {}", gateway["name"], gateway["url"] or where))
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("worker", style="cyan", no_wrap=True)
    for heading in ("state", "memory", "running", "queued", "sandboxes", "cpu", "load", "free", "disk"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "state" else "right")
    for worker in cluster["workers"]:
        table.add_row(visible(worker["name"]), state(worker), *figures(worker))
    screen.print()
    screen.print(table if cluster["workers"] else "No worker has joined.")
    for worker in cluster["workers"]:
        if worker.get("runtimes"):
            screen.print(marked("[cyan]{}[/] runs {}", worker["name"], runs(worker["runtimes"])), soft_wrap=True)
        if worker.get("holds") is not None:
            has = f"{worker['holds']} of {functions}"
            screen.print(marked("[cyan]{}[/] has the code and images of {}", worker["name"], has), soft_wrap=True)


def runs(runtimes: dict[str, str]) -> str:
    """The kinds of code, each with what makes its sandboxes."""
    return ", ".join(f"{kind} ({by})" if by else kind for kind, by in sorted(runtimes.items()))


def state(worker: dict[str, Any]) -> Any:
    if worker["silent"] or worker["memory_mb"] is None:
        return marked("[bold red]{}[/]", "silent")
    return marked("[yellow]{}[/]", "draining") if worker["draining"] else marked("[green]{}[/]", "ready")


def figures(worker: dict[str, Any]) -> list[str]:
    """Of its sandboxes, and of its machine; `-` for what nobody has told."""
    load = worker["load"] or {}
    told = worker["memory_mb"] is not None
    ours = [f"{worker['used_mb']} of {worker['memory_mb']} MB"] if told else ["-"]
    ours += [str(worker[key]) if told else "-" for key in ("running", "queued", "sandboxes")]
    if not load:
        return [*ours, "-", "-", "-", "-"]
    machine = [f"{load['cpu_share']:.0%}", f"{load['load_1m']:.1f}"]
    return [*ours, *machine, f"{load['memory_free_mb']} MB", f"{load['disk_free_mb'] // 1024} GB"]
