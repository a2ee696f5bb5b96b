"""`attacca sim`: the same gateway and workers in virtual time, thousands of times as fast."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attacca.cli.command import Refused, VerbCommand, VerbGroup
from attacca.cli.laboratory import study
from attacca.cli.options import Json
from attacca.cli.screens.terminal import console, marked, milliseconds, put, say, seconds, show_json
from attacca.errors import BadConfig

if TYPE_CHECKING:
    from attacca.load.workload.scenario import Scenario
    from attacca.sim.run import Outcome

app = typer.Typer(
    cls=VerbGroup,
    help="Simulate: the code of gateway and workers on simulated machines, in virtual time.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
QUIET_CORES = 0.25  # that platform, generator and system need at most, where nothing else runs
RUN = """
attacca sim run burst.toml
attacca sim run burst.toml --seed 7 --out runs/burst --events
attacca sim run burst.toml --set system.keepalive=lru --set system.workers=4 --json
attacca sim run burst.toml --replay-to 4711 --story 93  # what happened to invocation 93 until then
attacca sim run burst.toml --story w0-3  # a sandbox's whole life
"""
DIFF = "attacca sim diff runs/one runs/other"
CALIBRATE = """
attacca sim calibrate runs/live > hardware.toml
attacca sim calibrate runs/live bench.json  # the bench knows the parts of a cold start
attacca sim calibrate bench.json --fit
"""
SWARM = """
attacca sim swarm --seeds 1000
attacca sim swarm --first 4711 --seeds 1  # one seed again, with its trace
attacca sim swarm --workflows --seeds 200  # domains whose nodes and orchestrator fail
"""

ScenarioPath = Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario's TOML file.", show_default=False)]
Seed = Annotated[
    int | None, typer.Option("--seed", metavar="N", help="In place of the scenario's.", show_default=False)
]
Set = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Change the scenario, once or more often.", show_default=False),
]
Out = Annotated[str, typer.Option("--out", metavar="RUN", help="Record into this directory.", show_default=False)]
Events = Annotated[bool, typer.Option("--events", help="Keep the events in RUN too, for `attacca sim diff`.")]
Check = Annotated[
    bool, typer.Option("--check/--no-check", help="After each event, check what must always hold of what it touched.")
]
Thorough = Annotated[bool, typer.Option("--thorough", help="After each event, check everything. Slow.")]
ReplayTo = Annotated[
    int | None,
    typer.Option("--replay-to", metavar="N", help="Stop at event N and show the latest.", show_default=False),
]
StoryOf = Annotated[
    str,
    typer.Option("--story", metavar="ID", help="Tell of one invocation (93) or sandbox (w0-3).", show_default=False),
]
Replace = Annotated[bool, typer.Option("--replace", help="An earlier run in RUN goes.")]
RunPath = Annotated[str, typer.Argument(metavar="RUN", help="A run's directory, with events.", show_default=False)]


@app.command("run", cls=VerbCommand, epilog=RUN)
def run(
    path: ScenarioPath,
    *,
    seed: Seed = None,
    settings: Set = [],  # noqa: B006 - typer wants the default itself
    out: Out = "",
    events: Events = False,
    replace: Replace = False,
    check: Check = True,
    thorough: Thorough = False,
    replay_to: ReplayTo = None,
    story: StoryOf = "",
    as_json: Json = False,
) -> None:
    """Simulate a scenario and sum it up. The same seed gives the same events, and their hash says so."""
    from attacca.kernel.clock import SystemClock
    from attacca.sim.platform.gateway import Broken
    from attacca.sim.run import Options
    from attacca.sim.run import run as simulate

    if events and not out:
        raise BadConfig("--events has nowhere to keep them", "add --out RUN")
    scenario = read_with(path, settings, seed)
    options = Options(
        checks="all" if thorough else "touched" if check else "off",
        out=Path(out) if out else None,
        replace=replace,
        events=events,
        stop_at=replay_to,
        story=story,
    )
    try:
        outcome = simulate(scenario, SystemClock(), options)
    except Broken as error:
        say(f"Broken: {error}", "red")
        say(f"  Seed {scenario.seed} shows it every time.")
        raise Refused from error
    if as_json:
        show_json(outcome.as_json())
        return
    tell(outcome, is_stopped=replay_to is not None)


def read_with(path: str, settings: list[str], seed: int | None) -> "Scenario":
    """The scenario, as the command line changes it."""
    import msgspec

    from attacca.load.workload.scenario import read
    from attacca.sim.study.grid import HINT, parse, vary

    scenario = read(Path(path))
    choices = {}
    for setting in settings:
        axis = parse(setting)
        if len(axis.values) > 1:
            raise BadConfig(f"--set {setting!r} gives {len(axis.values)} values to one run", f"one, or sweep; {HINT}")
        choices[axis.key] = axis.values[0]
    scenario = vary(scenario, choices) if choices else scenario
    return scenario if seed is None else msgspec.structs.replace(scenario, seed=seed)


def tell(outcome: "Outcome", *, is_stopped: bool) -> None:
    for line in outcome.story:
        put(line)
    if is_stopped:
        say(f"Stopped at event {outcome.events:,}, {outcome.virtual_s:.6f} s. The latest:")
        for entry in outcome.latest:
            put(entry.text())
        return
    from rich.table import Table

    for warning in outcome.warnings:
        say(f"! {warning}", "yellow")
    totals = outcome.totals
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    per_second = totals.invocations / outcome.wall_s if outcome.wall_s else 0.0
    ended = f"{totals.ok:,} ok, {totals.failed:,} failed, {totals.unanswered:,} unanswered"
    table.add_row("invocations", f"{totals.invocations:,}: {ended}")
    table.add_row("cold", f"{totals.cold_share:.2%} of the started; {totals.template_share:.2%} from a template")
    spread = f"p50 {milliseconds(totals.p50_ms)}, p90 {milliseconds(totals.p90_ms)}, p99 {milliseconds(totals.p99_ms)}"
    table.add_row("response", f"mean {milliseconds(totals.mean_ms)} ms, {spread}, max {milliseconds(totals.max_ms)}")
    faster = outcome.virtual_s / outcome.wall_s if outcome.wall_s else 0.0
    table.add_row("time", f"{seconds(outcome.virtual_s)} in {outcome.wall_s:.2f} s: {faster:,.0f} times as fast")
    table.add_row("speed", f"{per_second:,.0f} invocations/s, {outcome.events:,} events")
    if (spent := outcome.spent) is not None:
        table.add_row("energy", f"{spent.energy_j:,.1f} J, {spent.invocation_j:.3g} J of an invocation")
    if outcome.faults or outcome.lost_messages:
        table.add_row("faults", f"{outcome.faults:,}, and {outcome.lost_messages:,} messages lost")
    table.add_row("seed, hash", f"{outcome.info.seed}, {outcome.hash}")
    screen = console()
    screen.print(marked("[bold cyan]{}[/]", outcome.info.name))
    screen.print(table)


@app.command("diff", cls=VerbCommand, epilog=DIFF)
def diff(left: RunPath, right: RunPath, *, as_json: Json = False) -> None:
    """Find the first event in which two runs differ. Both need their events: `attacca sim run --out RUN --events`."""
    from attacca.sim.record.event_log import part

    parting = part(Path(left), Path(right))
    if as_json:
        entries = (None, None) if parting is None else (parting.left, parting.right)
        texts = [None if entry is None else entry.text().strip() for entry in entries]
        show_json({"equal": parting is None, "event": parting and parting.number, "left": texts[0], "right": texts[1]})
        return
    if parting is None:
        say("They are equal, event by event.", "green")
        return
    for entry in parting.before:
        put(f"  {entry.text()}")
    for mark, here in (("-", parting.left), ("+", parting.right)):
        put(f"{mark} {'     (it had ended)' if here is None else here.text()}")
    say(f"They part at event {parting.number:,}: look there with --replay-to {parting.number}.")


@app.command("calibrate", cls=VerbCommand, epilog=CALIBRATE)
def calibrate(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|BENCH.json...", help="Live runs, or `attacca load bench`; the first that tells counts."
        ),
    ],
    *,
    fit: Annotated[bool, typer.Option("--fit", help="Lognormal distributions, not the measured values.")] = False,
    as_json: Json = False,
) -> None:
    """Write a scenario's [hardware] from what was measured: starts, what an invocation costs beside its handler."""
    from attacca.sim.calibrate import calibrate as measure
    from attacca.sim.calibrate import toml

    hardware = measure([Path(source) for source in sources], fit=fit)
    if hardware.background > QUIET_CORES:
        say(f"{hardware.background:.2f} cores were busy with something else: measure on a quiet machine.", "yellow")
    if as_json:
        import msgspec

        show_json(msgspec.to_builtins(hardware))
    else:
        put(toml(hardware).removesuffix("\n"))


@app.command("swarm", cls=VerbCommand, epilog=SWARM)
def swarm(
    *,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", help="How many.")] = 100,
    first: Annotated[int, typer.Option("--first", metavar="N", help="The first of them.")] = 1,
    workflows: Annotated[bool, typer.Option("--workflows", help="Domains with workflows, not functions.")] = False,
    as_json: Json = False,
) -> None:
    """Run many small scenarios with drawn faults, checking everything after each event."""
    from attacca.kernel.clock import SystemClock
    from attacca.sim.swarm import Tally
    from attacca.sim.swarm import draw as draw_functions
    from attacca.sim.swarm import swarm as simulate
    from attacca.sim.workflows.drawn import draw as draw_workflows

    tally, broken = Tally(), 0

    def tell_how_far(tally: Tally) -> None:
        if sys.stderr.isatty() and tally.runs % 10 == 0:
            sys.stderr.write(f"\r{tally.runs:,} of {seeds:,} ")

    draws = draw_workflows if workflows else draw_functions
    for failure in simulate(range(first, first + seeds), SystemClock(), tally, tell_how_far, draws):
        broken += 1
        say(f"\rSeed {failure.seed}: {failure.why}", "red")
        say(f"  Again: attacca sim swarm --first {failure.seed} --seeds 1{' --workflows' * workflows}")
        if seeds == 1:
            say(failure.trace)
    if as_json:
        show_json({"seeds": seeds, "broken": broken, "invocations": tally.invocations, "faults": tally.faults})
    else:
        lost = f"{tally.faults:,} faults, {tally.lost_messages:,} messages lost"
        say(f"\r{tally.runs:,} runs hold: {tally.invocations:,} invocations, {tally.events:,} events, {lost}.")
    if broken:
        raise Refused


study.add(app)
