"""`attacca lab`: whole experiments, simulated or live, in one command each."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
import typer

from attacca.cli.command import Refused, VerbCommand, VerbGroup
from attacca.cli.laboratory import dirigent
from attacca.cli.laboratory.knee import knee, steps, too_much
from attacca.cli.laboratory.report import width, write
from attacca.cli.laboratory.study import SHOWN, Meter, lines, metric_names, seeds_of
from attacca.cli.options import Json
from attacca.cli.screens.terminal import put, say, show_json
from attacca.errors import AttaccaError, BadConfig
from attacca.load.extra import need_lab

if TYPE_CHECKING:
    from attacca.load.report.groups import Group
    from attacca.load.workload.scenario import Scenario, System

    Making = Callable[[str], System]

app = typer.Typer(
    cls=VerbGroup,
    help="The two experiments of Dirigent's artifact (SOSP 2024), and its door for InVitro's loader.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
AZURE = """
attacca lab azure --functions 500 --trace azure-2019-500 --seeds 5 --report azure.html
attacca lab azure --functions 20 --minutes 2 --live  # on a server of its own, with a made-up trace
attacca lab azure --functions 500 --live --busy 0.002  # most would compute for longer than one machine can
"""
RPS = """
attacca lab rps --from 100 --to 10000
attacca lab rps --from 2 --to 20 --seconds 20 --live
"""
SEED = 42
BUSY_RPS = 0.2  # of a function of a made-up trace, on average
INVOCATION_S = 1e-4  # of a processor, in a simulation: 60 to 100 µs where cores are compiled
STEP_S = 4e-4  # of one that has a sandbox made
PREPARED_S = 5.0  # a server, its functions, and the last answers of a live run

Trace = Annotated[
    str, typer.Option("--trace", metavar="PATH", help="Default: one made up after Azure's.", show_default=False)
]
Functions = Annotated[int, typer.Option("--functions", metavar="N", min=1, help="So many of it.")]
Minutes = Annotated[int, typer.Option("--minutes", metavar="N", min=1, help="The first of it.")]
Busy = Annotated[
    float, typer.Option("--busy", metavar="SHARE", min=0.0, max=1.0, help="Of its duration a function computes.")
]
Low = Annotated[float, typer.Option("--from", metavar="RATE", min=0.01, help="Cold starts a second, at first.")]
High = Annotated[float, typer.Option("--to", metavar="RATE", min=0.01, help="And at last; by 1, 2 and 5 between.")]
Seconds = Annotated[float, typer.Option("--seconds", metavar="S", min=1.0, help="At each rate.")]
Again = Annotated[float, typer.Option("--again", metavar="S", min=1.0, help="Until a function is called again.")]
Modes = Annotated[str, typer.Option("--mode", metavar="A,B", help="Who decides: worker, cluster.")]
Live = Annotated[bool, typer.Option("--live", help="On a server of its own, here, in place of a simulation.")]
Workers = Annotated[int, typer.Option("--workers", metavar="N", min=1, help="Simulated; a live server has one.")]
Cores = Annotated[int | None, typer.Option("--cores", metavar="N", min=1, help="Of each. Default: 10; live: all.")]
Memory = Annotated[
    int | None, typer.Option("--memory", metavar="MB", min=256, help="Of each. Default: 65536; live: half.")
]
Seeds = Annotated[str, typer.Option("--seeds", metavar="N", help="So many; or some: 3,5,8.")]
Processes = Annotated[
    int | None, typer.Option("--processes", metavar="N", min=1, help="At once. Default: one per core.")
]
Out = Annotated[str, typer.Option("--out", metavar="DIR", help="The runs. Default: runs/lab-NAME.", show_default=False)]
ReportFile = Annotated[
    str, typer.Option("--report", metavar="FILE.html", help="Write the report of it all.", show_default=False)
]  # fmt: skip


Wanted = list[tuple[tuple[tuple[str, str], ...], "Scenario"]]  # what is varied, and what is run


class Asked(NamedTuple):
    """What both experiments are told."""

    modes: list[str]
    seeds: list[int]
    live: bool
    processes: int | None
    directory: Path
    machines: "Making"
    is_sweep: bool = False  # steps that rise: who does not carry one of them is not asked for the next


app.command("dirigent", cls=VerbCommand, epilog=dirigent.EXAMPLES)(dirigent.dirigent)


@app.command("azure", cls=VerbCommand, epilog=AZURE)
def azure(
    *,
    trace: Trace = "",
    functions: Functions = 500,
    minutes: Minutes = 30,
    busy: Busy = 1.0,
    mode: Modes = "worker,cluster",
    live: Live = False,
    workers: Workers = 10,
    cores: Cores = None,
    memory_mb: Memory = None,
    seeds: Seeds = "1",
    processes: Processes = None,
    out: Out = "",
    report: ReportFile = "",
    as_json: Json = False,
) -> None:
    """Replay the beginning of Azure's trace, and tell how long functions were slowed down by whom.

    Both schools see the same arrivals and keep what is idle for a minute. The first ten minutes are not measured.
    With --busy a function waits for the rest of its duration: a live machine carries more of them.
    """
    need_lab()
    from attacca.lab import experiments

    asked = _asked("azure", mode, seeds, out, processes, _machines(workers, cores, memory_mb, live=live), live=live)
    path = Path(trace) if trace else _made_up(asked.directory / "trace", functions, minutes)
    wanted: Wanted = [
        (
            (("system.mode", each),),
            experiments.azure(path, asked.machines(each), functions=functions, minutes=minutes, seed=seed, busy=busy),
        )
        for each in asked.modes
        for seed in asked.seeds
    ]
    groups = _run(asked, wanted)
    if report:
        _write(groups, Path(report))
    if as_json:
        show_json(_numbers(groups))
        return
    for line in lines(groups, metric_names(SHOWN)):
        put(line)


@app.command("rps", cls=VerbCommand, epilog=RPS)
def rps(
    *,
    low: Low = 100.0,
    high: High = 10_000.0,
    seconds: Seconds = 30.0,
    again_s: Again = 10.0,
    mode: Modes = "worker,cluster",
    live: Live = False,
    workers: Workers = 100,
    cores: Cores = None,
    memory_mb: Memory = None,
    seeds: Seeds = "1",
    processes: Processes = None,
    out: Out = "",
    report: ReportFile = "",
    as_json: Json = False,
) -> None:
    """Cold starts at a rising rate, each of a function of its own: how long they take, and where that ends."""
    if high < low:
        raise BadConfig(f"--to {high:g} is less than --from {low:g}", "--from 100 --to 10000")
    need_lab()
    from attacca.lab import experiments

    asked = _asked("rps", mode, seeds, out, processes, _machines(workers, cores, memory_mb, live=live), live=live)
    asked = asked._replace(is_sweep=True)
    wanted: Wanted = [
        (
            (("rate", f"{rate:g}"), ("system.mode", each)),
            experiments.cold_starts(rate, asked.machines(each), seconds=seconds, again_s=again_s, seed=seed),
        )
        for rate in experiments.rates(low, high)
        for each in asked.modes
        for seed in asked.seeds
    ]
    groups = _run(asked, wanted)
    if report:
        _write(groups, Path(report))
    carried = [knee(groups, each) for each in asked.modes]
    if as_json:
        show_json(_numbers(groups) | {"knees": [msgspec.to_builtins(each) for each in carried]})
        return
    from attacca.load.report.text import table

    for line in table(steps(groups), max(width(), 140)):
        put(line)
    for each in carried:
        put(each.sentence)


def _asked(
    name: str,
    modes: str,
    seeds: str,
    out: str,
    processes: int | None,
    machines: "Making",
    *,
    live: bool,
) -> Asked:
    from attacca.lab.experiments import MODES

    wanted = list(dict.fromkeys(mode.strip() for mode in modes.split(",")))
    for mode in wanted:
        if mode not in MODES:
            raise BadConfig(f"--mode {mode!r} is neither worker nor cluster", "--mode worker,cluster")
    directory = Path(out or f"runs/lab-{name}{'-live' if live else ''}")
    return Asked(wanted, seeds_of(seeds, SEED), live, processes, directory, machines)


def _machines(workers: int, cores: int | None, memory_mb: int | None, *, live: bool) -> "Making":
    from attacca.lab.experiments import machines
    from attacca.sim.study.study import cores as all_cores
    from attacca.worker.host.memory import available_mb

    if live:
        here = cores or all_cores(), memory_mb or available_mb() // 2
        return lambda mode: machines(mode, 1, *here)
    return lambda mode: machines(mode, workers, cores or 10, memory_mb or 65_536)


def _made_up(path: Path, functions: int, minutes: int) -> Path:
    """A trace after Azure's published curves; the same for the same size."""
    from attacca.load.traces.synth import Azure, Recipe
    from attacca.load.traces.writing import write as write_trace

    place = path.with_name(f"{path.name}-{functions}-{minutes}")
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        recipe = Recipe(functions=functions, minutes=minutes, target_rps=BUSY_RPS * functions, seed=SEED)
        write_trace(Azure(recipe).trace(), place, "attacca")
        say(f"  {place} is made up after Azure's trace; --trace PATH for another", "dim")
    return place


def _run(asked: Asked, wanted: Wanted) -> list["Group"]:
    from attacca.load.report.groups import grouped
    from attacca.load.report.measure import read

    say(f"  {how_long(asked, [scenario for _, scenario in wanted])}", "dim")
    paths = _lived(asked, wanted) if asked.live else _simulated(asked, wanted)
    groups = grouped([read(path) for path in paths])
    say(f"  in {asked.directory}", "dim")
    return groups


def how_long(asked: Asked, scenarios: Sequence["Scenario"]) -> str:
    """What it will take, said before it begins; seeds are much alike, and so are schools."""
    from attacca.cli.screens.terminal import seconds
    from attacca.load.workload.schedule import Schedule
    from attacca.sim.study.study import cores as all_cores

    count = f"{len(scenarios)} run{'s' * (len(scenarios) != 1)}"
    schedules = {scenario.name: Schedule(scenario) for scenario in scenarios}
    if asked.live:
        takes_s = sum(schedules[scenario.name].length_s + PREPARED_S for scenario in scenarios)
        return f"{count}, one after the other: about {seconds(takes_s)}, and more where answers are late."
    of_each = {
        name: round(sum(number for number, _ in schedule.counts().values())) for name, schedule in schedules.items()
    }
    many = sum(of_each[scenario.name] for scenario in scenarios)
    at_once = min(asked.processes or all_cores(), len(scenarios))
    takes_s = many * (STEP_S if asked.is_sweep else INVOCATION_S) / at_once
    return f"{count} of {many:,} invocations in virtual time, {at_once} at once: about {seconds(takes_s)}."


def _simulated(asked: Asked, wanted: Wanted) -> list[Path]:
    from attacca.sim.study.grid import Cell, key_of
    from attacca.sim.study.job import mark_of
    from attacca.sim.study.study import Study

    cells = []
    for choices, scenario in wanted:
        mark = mark_of(scenario)
        cells.append(Cell(choices, scenario, key_of(scenario, mark), mark))
    meter = Meter(len(cells))
    outcome = Study(asked.directory, cells).run(meter.tell, asked.processes)
    meter.close(outcome)
    for failed in outcome.failed[:10]:
        say(f"{failed.cell.label} seed {failed.cell.scenario.seed} failed: {failed.why}", "red")
    if outcome.failed:
        raise Refused
    return outcome.paths


def _lived(asked: Asked, wanted: Wanted) -> list[Path]:
    """One after the other, each on a server that has had nothing to do."""
    from attacca.cli.screens.progress import Watching
    from attacca.lab.live_run import Order, free_directory, live
    from attacca.lab.local_server import server
    from attacca.load.report.measure import read
    from attacca.load.workload.expected import expected
    from attacca.load.workload.schedule import Schedule

    paths: list[Path] = []
    within = asked.directory
    beyond: set[str] = set()  # of the schools, those that carry no more
    warned: set[str] = set()
    for choices, scenario in wanted:
        if scenario.system.mode in beyond:
            continue
        label = " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in choices)
        say(f"{label}, seed {scenario.seed}")
        schedule = Schedule(scenario)
        load = expected(scenario, schedule)
        for warning in load.warnings:
            if warning not in warned:
                say(f"  {warning}", "yellow")
        warned.update(load.warnings)
        place = free_directory(label.replace(" ", "-"), within)
        order = Order(scenario, schedule, load, Path("(attacca lab)"), directory=str(place), processes=load.processes)
        try:
            with server(scenario.system, "", say) as url:
                recorded = live(order, url, "", Watching(quiet=False), is_ours=True)
        except AttaccaError as error:
            if not (asked.is_sweep and paths):
                raise
            say(f"  {scenario.system.mode} is not asked for more: {error.message}", "yellow")
            beyond.add(scenario.system.mode)
            continue
        if recorded.ended.is_refused and not asked.is_sweep:
            raise Refused
        paths.append(recorded.directory)
        if "stopped_s" in recorded.ended.totals and not recorded.ended.is_refused:
            say(f"  stopped: {len(wanted) - len(paths)} more would have followed", "yellow")
            break
        why = too_much(read(recorded.directory), load.rate) if asked.is_sweep else ""
        if why:
            say(f"  {scenario.system.mode} is not asked for more: {why}", "yellow")
            beyond.add(scenario.system.mode)
    return paths


def _write(groups: list["Group"], path: Path) -> None:
    from attacca.load.report.sections import report

    write(report([digest for group in groups for digest in group.digests]), path)


def _numbers(groups: list["Group"]) -> dict[str, Any]:
    from attacca.cli.laboratory.report import numbers
    from attacca.load.report.sections import report

    return numbers(report([digest for group in groups for digest in group.digests]))
