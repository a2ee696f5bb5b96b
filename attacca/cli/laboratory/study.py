"""`attacca sim sweep` and `attacca sim compare`: many simulated runs, on all cores or a cluster, and what they show."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from attacca.cli.command import Refused, VerbCommand, gathered
from attacca.cli.laboratory.report import Width, comparisons, draw, numbers, width, write
from attacca.cli.options import Json
from attacca.cli.screens.terminal import is_coloured, paint, put, say, seconds, show_json, visible
from attacca.errors import BadConfig
from attacca.load.extra import need_lab

if TYPE_CHECKING:
    from attacca.load.report.groups import Group
    from attacca.sim.study.grid import Cell
    from attacca.sim.study.study import StudyOutcome

SWEEP = """
attacca sim sweep burst.toml --set system.memory_mb=1024,2048,4096 --seeds 10
attacca sim sweep burst.toml --set worker.keepalive=ttl:idle_s=60,lru --set system.workers=1,2,4
attacca sim sweep burst.toml --seeds 100 --on dask://10.0.0.5:8786
"""
COMPARE = """
attacca sim compare azure.toml --set worker.keepalive=lru,greedy_dual,hybrid_histogram
attacca sim compare burst.toml --set worker.queueing=fcfs,minheap,mqfq --seeds 20 --report queueing.html
attacca sim compare burst.toml --set worker.keepalive=lru,ttl --until cold_share=5  # seeds until each is within 5 %
"""
MORE: Final = 10  # times as many seeds as were asked for, at most
SHOWN = "mean_ms,p50_ms,p99_ms,slowdown,slowdown_p99,cold_share,memory_gb,wasted_gb_s"

ScenarioPath = Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario's TOML file.", show_default=False)]
Sets = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="KEY=A,B,C", show_default=False,
        help="What is varied; may be repeated, for every combination. A policy's options follow it: ttl:idle_s=60.",
    ),
]  # fmt: skip
Seeds = Annotated[
    str, typer.Option("--seeds", metavar="N", help="So many, from the scenario's own on; or some: 3,5,8.")
]
Until = Annotated[
    str,
    typer.Option(
        "--until", metavar="METRIC=PERCENT", show_default=False,
        help="More seeds, until each configuration's interval is within so much of its mean: mean_ms=5.",
    ),
]  # fmt: skip
On = Annotated[
    str, typer.Option("--on", metavar="dask://HOST:PORT", help="A Dask cluster, not this machine.", show_default=False)
]  # fmt: skip
Processes = Annotated[
    int | None, typer.Option("--processes", metavar="N", min=1, help="At once. Default: one per core.")
]
Out = Annotated[
    str, typer.Option("--out", metavar="DIR", help="The study. Default: runs/NAME-study.", show_default=False)
]  # fmt: skip
Records = Annotated[bool, typer.Option("--records", help="Keep each run's records too.")]
Check = Annotated[
    bool, typer.Option("--check", help="In each run, check after each event what must always hold; a third slower.")
]
ReportFile = Annotated[
    str, typer.Option("--report", metavar="FILE.html", help="Write the report of it all.", show_default=False)
]  # fmt: skip
Figures = Annotated[
    str, typer.Option("--figures", metavar="DIR", help="Write each figure as SVG, PDF and PNG.", show_default=False)
]  # fmt: skip
Metrics = Annotated[
    str, typer.Option("--metrics", metavar="A,B", help="Of which to tell.", show_default=False)
]  # fmt: skip


class Plan(NamedTuple):
    """What is run, and where."""

    sets: Sets = []  # noqa: RUF012 - as typer wants it; never changed
    seeds: Seeds = "10"
    until: Until = ""
    on: On = ""
    processes: Processes = None
    out: Out = ""
    records: Records = False
    check: Check = False


class Files(NamedTuple):
    """What is made of the runs."""

    report: ReportFile = ""
    figures: Figures = ""
    wide: Width = "page"


@gathered
def sweep(path: ScenarioPath, *, plan: Plan, files: Files, as_json: Json = False) -> None:
    """Run every combination of what is varied, once for each seed. What was run before is not run again."""
    groups, outcome = study(path, plan)
    show(groups, outcome, files, None, as_json=as_json)


@gathered
def compare(path: ScenarioPath, *, plan: Plan, files: Files, metrics: Metrics = SHOWN, as_json: Json = False) -> None:
    """Compare what is varied, seed by seed: all see the same arrivals, so that small differences show.

    The first value is the one that the others are compared with.
    """
    if not plan.sets:
        raise BadConfig("nothing is varied", "--set worker.keepalive=lru,greedy_dual")
    wanted = metric_names(metrics)
    groups, outcome = study(path, plan)
    show(groups, outcome, files, wanted, as_json=as_json)


def add(app: typer.Typer) -> None:
    """To the verbs of `attacca sim`."""
    app.command("sweep", cls=VerbCommand, epilog=SWEEP)(sweep)
    app.command("compare", cls=VerbCommand, epilog=COMPARE)(compare)


def metric_names(text: str) -> list[str]:
    need_lab()
    from attacca.load.report.metrics import METRICS as KNOWN

    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in KNOWN:
            raise BadConfig(f"no metric is called {name!r}", f"known: {', '.join(KNOWN)}")
    return names


def seeds_of(text: str, first: int) -> list[int]:
    try:
        numbers = [int(word) for word in text.split(",")]
    except ValueError:
        raise BadConfig(f"--seeds {text[:80]!r} is neither a number nor a list of them", "--seeds 10") from None
    if len(numbers) > 1:
        return list(dict.fromkeys(numbers))
    if not 1 <= numbers[0] <= SEEDS_MOST:
        raise BadConfig(f"--seeds {text[:80]!r}: at least one is needed, and at most {SEEDS_MOST:,}", "--seeds 10")
    return list(range(first, first + numbers[0]))


SEEDS_MOST = 1_000_000


def study(path: str, plan: Plan) -> tuple[list["Group"], "StudyOutcome"]:
    """Run what is missing; the configurations in the order of what was varied."""
    need_lab()
    from attacca.load.report.groups import grouped, seeds_for
    from attacca.load.report.measure import read as read_digest
    from attacca.load.workload.scenario import read
    from attacca.sim.study.grid import expand, parse
    from attacca.sim.study.job import CHECKED, SIMULATE, mark_of
    from attacca.sim.study.study import Study

    scenario = read(Path(path))
    axes = [parse(setting) for setting in plan.sets]
    goal = goal_of(plan.until)
    seeds = seeds_of(plan.seeds, scenario.seed)
    most = MORE * len(seeds) if goal else len(seeds)
    while True:
        cells = expand(scenario, axes, seeds, mark_of)
        how, place = CHECKED if plan.check else SIMULATE, Path(plan.out or f"runs/{scenario.name}-study")
        planned = Study(place, cells, simulate=how, keep_records=plan.records)
        if outdated := planned.outdated():
            say(f"  {outdated} that are there were made by other code, settings or traces: they are run anew.", "dim")
        meter = Meter(len(cells))
        outcome = planned.run(meter.tell, plan.processes, plan.on)
        meter.close(outcome)
        groups = grouped([read_digest(path) for path in outcome.paths])
        wanted = 0 if goal is None or outcome.failed else seeds_for(groups, *goal)
        if wanted <= len(seeds) or len(seeds) >= most:
            break
        seeds = [*seeds, *range(max(seeds) + 1, max(seeds) + 1 + min(wanted, most) - len(seeds))]
    if wanted > len(seeds):
        say(f"  After {len(seeds)} seeds {plan.until} is not reached; it may take {wanted:,}.", "yellow")
    say(f"  in {planned.directory}", "dim")
    cautions(groups)
    return groups, outcome


def cautions(groups: list["Group"]) -> None:
    """What was not measured at all."""
    early = [group.label for group in groups if group.first.phases.get("warmup") and not group.first.phases.get("run")]
    if early:
        say(f"! All was due in the warm-up, and is shown as if it were the run: {', '.join(early[:3])}.", "yellow")


def goal_of(text: str) -> tuple[str, float] | None:
    """`mean_ms=5`: the metric, and the share of it that half an interval may be."""
    if not text:
        return None
    name, _, percent = text.partition("=")
    metric_names(name)
    try:
        within = float(percent) / 100
    except ValueError:
        within = 0.0
    if not (name.strip() and 0 < within <= 1):
        raise BadConfig(f"--until {text!r} names no metric or no percentage up to 100", "--until mean_ms=5")
    return name.strip(), within


class Meter:
    """How far a study is, on one line of a terminal."""

    def __init__(self, cells: int) -> None:
        from attacca.kernel.clock import SystemClock

        self._cells, self._clock = cells, SystemClock()
        self._began = self._clock.now()

    def __repr__(self) -> str:
        return f"<Meter {self._cells} runs>"

    def tell(self, done: int, of: int, cell: "Cell") -> None:
        if not sys.stderr.isatty():
            return
        left_s = (self._clock.now() - self._began) / done * (of - done)
        line = visible(f"{done}/{of} runs · {seconds(left_s)} to go · {cell.label} seed {cell.scenario.seed}")
        sys.stderr.write(f"\r\x1b[2K{line[: width() - 1]}")
        sys.stderr.flush()

    def close(self, outcome: "StudyOutcome") -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[2K")
        new = len(outcome.paths) - outcome.reused
        took = seconds(self._clock.now() - self._began)
        say(f"{new} run{'s' * (new != 1)} in {took}, {outcome.reused} were there already.", "green")


def show(
    groups: list["Group"], outcome: "StudyOutcome", files: Files, metrics: list[str] | None, *, as_json: bool
) -> None:
    """`metrics`: those that are compared."""
    need_lab()
    from attacca.load.report.sections import report as make_report

    if groups and (files.report or files.figures):
        whole = make_report([digest for group in groups for digest in group.digests])
        if files.report:
            write(whole, Path(files.report))
        if files.figures:
            draw(whole, Path(files.figures), files.wide)
    if as_json:
        show_json(as_numbers(groups, outcome, metrics or []))
    elif groups:
        for line in lines(groups, metrics):
            put(line)
    for failed in outcome.failed[:10]:
        say(f"{failed.cell.label} seed {failed.cell.scenario.seed} failed: {failed.why}", "red")
    if outcome.failed:
        raise Refused


def lines(groups: list["Group"], metrics: list[str] | None) -> list[str]:
    """The table of all metrics; or, to compare, a table for each and a sentence on who is better."""
    from attacca.load.report.groups import measured
    from attacca.load.report.looks import in_order
    from attacca.load.report.tables import comparison, configurations
    from attacca.load.report.text import table
    from attacca.load.report.verdicts import verdicts

    base, ordered = groups[0], in_order(groups)
    groups = ordered if metrics is None else [base, *(group for group in ordered if group is not base)]
    if metrics is None:
        return table(configurations(groups, measured(groups, SHOWN.split(","))), max(width(), 200))
    names = measured(groups, metrics)
    text = []
    for name in names:
        text += [*table(comparison(groups, name), max(width(), 160)), ""]
    bold = "bold" if is_coloured(sys.stdout) else ""
    return text + [paint(sentence, bold, sys.stdout) if bold else sentence for sentence in verdicts(groups, names)]


def as_numbers(groups: list["Group"], outcome: "StudyOutcome", metrics: list[str]) -> dict[str, object]:
    """`metrics`: of which comparisons tell, in place of those of a report."""
    from attacca.load.report.sections import report as make_report

    if not groups:
        return {"failed": [failed.why for failed in outcome.failed]}
    whole = make_report([digest for group in groups for digest in group.digests])
    content = numbers(whole)
    content["failed"] = [failed.why for failed in outcome.failed]
    if metrics:
        content["comparisons"] = comparisons(whole.groups, metrics)
    return content
