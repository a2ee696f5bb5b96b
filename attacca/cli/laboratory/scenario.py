"""`attacca scenario`: what a scenario will ask of the system, before anything runs."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import typer

from attacca.cli.command import VerbCommand, VerbGroup
from attacca.cli.options import Json
from attacca.cli.screens.terminal import console, marked, milliseconds, seconds, show_json
from attacca.load.workload.expected import Expected
from attacca.load.workload.scenario import Choice, System

app = typer.Typer(
    cls=VerbGroup,
    help="Check scenarios: the TOML files that say what is run, live and simulated.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
CHECK = """
attacca scenario check burst.toml
attacca scenario check burst.toml --json | jq .cores
attacca scenario check burst.toml --set system.memory_mb=1024 --set functions.f.shape.rate=50
"""
MOST_ROWS = 10

ScenarioPath = Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario's TOML file.", show_default=False)]


@app.callback()
def group() -> None:
    """One verb so far, and it stays a verb."""


@app.command("check", cls=VerbCommand, epilog=CHECK)
def check(
    path: ScenarioPath,
    *,
    settings: Annotated[
        list[str],
        typer.Option("--set", metavar="KEY=VALUE", help="Change the scenario, once or more often.", show_default=False),
    ] = [],  # noqa: B006 - typer wants the default itself
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="In place of the scenario's.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the expected load: rates, cores and memory by Little's law, and what is likely to go wrong."""
    from attacca.cli.laboratory.sim import read_with
    from attacca.load.workload.expected import expected

    scenario = read_with(path, settings, seed)
    check_policies(scenario.system)
    load = expected(scenario)
    if as_json:
        show_json(msgspec.to_builtins(load))
    else:
        show(load)


def check_policies(system: System) -> None:
    """Make each of a scenario's policies once, as whoever runs it would.

    Raises:
        BadConfig: there is none of that name, or an option of it is wrong.
    """
    from attacca.cli.serve.whole import check_of_cluster, check_whole
    from attacca.kernel.registry import build
    from attacca.policy.balancing import BALANCING
    from attacca.policy.concurrency import CONCURRENCY
    from attacca.policy.keepalive import BOUNDS, KEEPALIVE
    from attacca.policy.placement import PLACEMENT
    from attacca.policy.queueing import QUEUEING
    from attacca.policy.scaling import SCALING
    from attacca.policy.slots import SLOTS

    def made(family: str, known: Mapping[str, type[Any]]) -> Any:
        choice: Choice = getattr(system, family)
        return build(known, choice.policy, choice.options, f"attacca.policy.{family}")

    check_whole(
        made("queueing", QUEUEING),
        made("concurrency", CONCURRENCY),
        made("keepalive", {**KEEPALIVE, **BOUNDS}),
        made("balancing", BALANCING),
    )
    check_of_cluster(made("scaling", SCALING), made("placement", PLACEMENT), made("slots", SLOTS))


def show(load: Expected, *, stderr: bool = False, width: int | None = None) -> None:
    from rich.table import Table

    screen = console(stderr=stderr, width=width)
    peak = f", {load.peak_rate:,.1f} at its highest" if load.peak_rate > load.rate * 1.01 else ""
    share = load.cores / load.cores_there
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    table.add_row("functions", f"{load.called:,} called, {load.functions:,} in all")
    table.add_row("invocations", f"{load.invocations:,.0f} in {seconds(load.length_s)}")
    table.add_row("rate", f"{load.rate:,.2f} per second{peak}")
    table.add_row("running", f"{load.running:,.2f} at once on average, if nothing waits")
    table.add_row("cores", f"{load.cores:,.2f} of {load.cores_there} busy ({share:.0%})")
    table.add_row(
        "memory",
        f"{load.memory_mb:,.0f} MB for what runs, {load.memory_each_mb:,} MB for one sandbox of each, "
        f"{load.memory_there_mb:,} MB there",
    )
    table.add_row("cold starts", _colds(load))
    screen.print(marked("[bold cyan]{}[/]", load.name))
    screen.print(table)
    _show_parts(load, screen)
    for warning in load.warnings:
        screen.print(marked("[yellow]![/] {}", warning), soft_wrap=True)


def _colds(load: Expected) -> str:
    """What a simulated one takes, and who says so."""
    rest = load.called - load.cold_traced - load.cold_own
    said = [
        f"{count:,} as {whose} says"
        for count, whose in ((load.cold_traced, "the trace"), (load.cold_own, "[[functions]]"), (rest, "[hardware]"))
        if count
    ]
    return f"{milliseconds(load.cold_ms)} ms on average, simulated: {', '.join(said) or 'none'}"


def _show_parts(load: Expected, screen: "object") -> None:
    from rich.console import Console
    from rich.table import Table

    assert isinstance(screen, Console)
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("function", style="cyan", no_wrap=True)
    for heading in ("invocations", "per s", "mean ms", "running", "MB"):
        table.add_column(heading, justify="right")
    for part in load.parts[:MOST_ROWS]:
        table.add_row(
            part.function,
            f"{part.invocations:,.0f}",
            f"{part.rate:,.3f}",
            milliseconds(part.mean_ms),
            f"{part.running:,.3f}",
            f"{part.memory_mb:,}",
        )
    screen.print()
    screen.print(table)
    if len(load.parts) > MOST_ROWS:
        screen.print(marked(f"[dim]and {len(load.parts) - MOST_ROWS:,} more[/]"))
