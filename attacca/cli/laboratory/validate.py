"""`attacca validate`: one scenario live and simulated, side by side, and how far they are apart."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attacca.cli.command import Refused
from attacca.cli.laboratory.report import width, write
from attacca.cli.options import Json, Token
from attacca.cli.screens.terminal import put, say, show_json
from attacca.errors import BadConfig
from attacca.load.extra import need_lab

if TYPE_CHECKING:
    from attacca.lab.steady import Machine
    from attacca.lab.validate import Target
    from attacca.load.report.groups import Group
    from attacca.load.workload.scenario import Scenario

EXAMPLES = """
attacca validate burst.toml  # starts a server as the scenario describes it, and stops it
attacca validate azure.toml --target http://10.0.0.5:8080 --hardware calibrated.toml
attacca validate burst.toml --strict --out runs/check --report check.html
attacca validate burst.toml --runs 3  # and how far live runs are apart from one another
attacca validate burst.toml --live runs/burst-1  # recorded before
"""
OF_THIS = "give a live run of this very scenario and seed, or none"


def run(
    path: Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario's TOML file.", show_default=False)],
    *,
    target: Annotated[
        str,
        typer.Option("--target", metavar="URL", help="A server. Default: one of our own.", show_default=False),
    ] = "",
    live: Annotated[
        list[str] | None,
        typer.Option("--live", metavar="RUN", help="A live run of it that is there. Repeatable.", show_default=False),
    ] = None,
    runs: Annotated[int, typer.Option("--runs", metavar="N", min=1, help="Live ones. Default: 1.")] = 1,
    hardware: Annotated[
        str, typer.Option("--hardware", metavar="FILE", help="What `sim calibrate` wrote.", show_default=False)
    ] = "",
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="In place of the scenario's.")] = None,
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Default: runs/NAME-validation-NUMBER.", show_default=False)
    ] = "",
    report: Annotated[
        str, typer.Option("--report", metavar="FILE.html", help="Write the report of both.", show_default=False)
    ] = "",
    up: Annotated[
        str, typer.Option("--up", metavar="OPTIONS", help="For the server that is started.", show_default=False)
    ] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Fail when a metric is beyond its bar.")] = False,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Run a scenario live and simulated, with the same seed, and tell how far the simulation is off.

    First whether this machine is quiet enough to tell. Live and simulated runs take turns. Then, of several live runs
    (--runs), how far they are from one another: no simulation can be nearer to them than that, and where it is beyond
    the bar there is no verdict. Then for each metric live, simulated, the difference, and the interval that so many
    samples allow.
    """
    need_lab()
    from attacca.lab.validate import Target, cautions, free_directory, of_scenario, planned, simulate
    from attacca.load.report.groups import grouped, twins
    from attacca.load.report.measure import read as read_digest
    from attacca.load.report.sections import report as make_report

    scenario = planned(Path(path), seed, hardware)
    folder = Path(out) if out else free_directory(scenario.name)
    machine = None if live else seen(as_json=as_json)
    recorded = [Path(directory) for directory in live or ()]
    if recorded:
        simulate(scenario, folder / "simulated")
    else:
        recorded = measured(scenario, folder, runs, Target(target, token, up))
    digests = [of_scenario(read_digest(directory), scenario) for directory in (*recorded, folder / "simulated")]
    if report:
        write(make_report(digests), Path(report))
    pairs = twins(grouped(digests))
    if not pairs:
        raise BadConfig(f"{', '.join(map(str, recorded))}: no live run of {scenario.name}", OF_THIS)
    if not as_json:
        for caution in cautions(scenario, recorded):
            say(caution, "yellow")
    show(*pairs[0], folder, machine, as_json=as_json, strict=strict)


def seen(*, as_json: bool) -> "Machine":
    """What this machine is like, said before it is measured."""
    from attacca.kernel.clock import SystemClock
    from attacca.lab.steady import look

    machine = look(SystemClock().now)
    if not as_json:
        say(machine.told(), "yellow" if machine.reasons() else "green")
    return machine


def measured(scenario: "Scenario", folder: Path, runs: int, target: "Target") -> list[Path]:
    """So many live runs; a simulation takes its turn after each."""
    from functools import partial

    from attacca.lab.validate import Failed, in_turns, measure

    names = ["live"] if runs == 1 else [f"live-{number}" for number in range(1, runs + 1)]
    try:
        turns = in_turns(scenario, folder, [partial(measure, scenario, folder, name, target) for name in names])
    except Failed:
        raise Refused from None
    if len(turns.hashes) > 1:
        say(f"! {len(turns.hashes)} different simulations of one seed: {', '.join(sorted(turns.hashes))}", "red")
    return turns.recorded


def show(
    live: "Group", simulated: "Group", folder: Path, machine: "Machine | None", *, as_json: bool, strict: bool
) -> None:
    from attacca.lab.steady import plain
    from attacca.load.report.groups import quantile_distance
    from attacca.load.report.text import table
    from attacca.load.report.validation import against_itself, gaps, validation
    from attacca.load.sending.pacing import LATE_S, LATE_WARN

    differences = gaps(live, simulated)
    if as_json:
        rows = [
            {"metric": gap.metric, "live": gap.live.value, "each": live.values(gap.metric), "live_apart": gap.spread,
             "simulated": gap.simulated.value, "difference": gap.gap,
             "interval": gap.reach, "unit": gap.unit, "bar": gap.bar, "near": gap.is_near,
             "verdict": gap.verdict}
            for gap in differences
        ]  # fmt: skip
        content = {"run": str(folder), "metrics": rows, "ks": quantile_distance(live, simulated)}
        show_json({**content, "machine": plain(machine)} if machine is not None else content)
    else:
        put("\n".join(table(against_itself(live), max(width(), 140))))
        put("")
        put("\n".join(table(validation(live, simulated), max(width(), 140))))
        late = live.first.late
        if late.get("share", 0.0) > LATE_WARN:
            say(f"{late['share']:.0%} were sent over {LATE_S * 1e3:g} ms late.", "yellow")
        say(f"  in {folder}", "dim")
    far = [gap.metric for gap in differences if not gap.is_near]
    if strict and far:
        say(f"Beyond their bars: {', '.join(far)}.", "red")
        raise Refused
