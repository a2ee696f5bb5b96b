"""`attacca workflow bench`: workflows that come to a server on a schedule, live for a while, and go."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screens.terminal import console, counted, marked, milliseconds, say, show_json

if TYPE_CHECKING:
    from attacca.lab.workflows.bench import Found

BENCH = """
attacca workflow bench
attacca workflow bench --rate 2 --lifetime 5 --duration 60 --seed 7
attacca workflow bench --template map_reduce --width 4 --busy 2 --arrivals gamma --cv 3 --json | jq .latency.p99
"""
TemplateOf = Annotated[Literal["chain", "map_reduce"], typer.Option("--template", help="What each workflow is.")]
Length = Annotated[int, typer.Option("--length", metavar="N", min=2, max=100, help="Of a chain: functions.")]
Width = Annotated[int, typer.Option("--width", metavar="N", min=1, max=64, help="Of a map_reduce: side by side.")]
Arrivals = Annotated[Literal["poisson", "constant", "gamma"], typer.Option("--arrivals", help="How workflows come.")]
Rate = Annotated[float, typer.Option("--rate", metavar="R", min=0.001, help="Workflows a second.")]
Cv = Annotated[float, typer.Option("--cv", metavar="CV", min=0.01, help="Of gamma: how bursty.")]
Lifetime = Annotated[float, typer.Option("--lifetime", metavar="S", min=0.1, help="Of a workflow, on average.")]
Stays = Annotated[Literal["exponential", "constant"], typer.Option("--lifetimes", help="How lifetimes are spread.")]
Interval = Annotated[
    float, typer.Option("--interval", metavar="S", min=0.001, help="Between two events of a workflow.")
]
Busy = Annotated[float, typer.Option("--busy", metavar="MS", min=0.0, help="Each function computes so long.")]
Size = Annotated[int, typer.Option("--bytes", metavar="N", min=0, max=1 << 20, help="Of an event.")]
Duration = Annotated[float, typer.Option("--duration", metavar="S", min=1.0, help="So long workflows come.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Of arrivals and lifetimes.")]


def bench(
    *,
    template: TemplateOf = "chain",
    length: Length = 3,
    width: Width = 3,
    rate: Rate = 0.5,
    how: Arrivals = "poisson",
    cv: Cv = 1.0,
    lifetime_s: Lifetime = 10.0,
    stays: Stays = "exponential",
    interval_s: Interval = 0.1,
    busy_ms: Busy = 0.0,
    size: Size = 100,
    duration_s: Duration = 30.0,
    seed: Seed = 1,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Start workflows on a schedule that waits for nobody, and measure starts, stops, and events from end to end."""
    import msgspec

    from attacca.client.http import Client
    from attacca.lab.workflows.bench import Load, run
    from attacca.lab.workflows.graphs import Graph
    from attacca.load.workload.scenario import Distribution, Shape

    load = Load(
        graph=Graph(
            template=template, length=length, width=width, interval_s=interval_s, busy_ms=busy_ms, bytes=size
        ),
        arrivals=Shape(kind=how, rate=rate, cv=cv),
        lifetime=Distribution(kind=stays, mean_ms=lifetime_s * 1e3),
        duration_s=duration_s,
        seed=seed,
    )  # fmt: skip
    found = run(lambda: Client(url, token), load, _nothing if as_json else lambda text: say(text, "dim"))
    if as_json:
        show_json(msgspec.to_builtins(found))
    else:
        tell(found)


def _nothing(_: str) -> None: ...


def tell(found: "Found", width: int | None = None) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("", "count", "mean", "p50", "p90", "p99", "most"):
        table.add_column(title, justify="right" if title else "left")
    rows = {
        "asked for late": found.late,
        "start, until ready": found.start,
        "stop": found.stop,
        "event, end to end": found.latency,
    }
    for title, one in rows.items():
        times = [milliseconds(value) for value in (one.mean, one.p50, one.p90, one.p99, one.most)]
        table.add_row(title, f"{one.count:,}", *times)
    screen = console(width=width)
    blocked = ", ".join(f"{count} {code}" for code, count in sorted(found.blocked.items()))
    graph = found.load.graph
    what = f"chain of {graph.length}" if graph.template == "chain" else f"map_reduce of {graph.width}"
    screen.print(
        marked("[bold cyan]{}[/] [dim]seed {}[/]", f"{what}, {counted(found.workflows, 'workflow')}", found.load.seed)
    )
    screen.print(table)
    say(
        f"Milliseconds. Events: {found.lost} lost, {found.doubled} doubled. Workflows that failed: {blocked or 'none'}."
    )
