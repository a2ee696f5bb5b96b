"""`attacca load`: send load to a running server and record what becomes of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attacca.cli.command import Refused, VerbCommand, VerbGroup
from attacca.cli.options import DEFAULT_URL, Json, Token
from attacca.cli.screen import say, show_json

if TYPE_CHECKING:
    from attacca.cli.stage import Stage
    from attacca.load.expected import Expected
    from attacca.load.scenario import FunctionPlan, Scenario

app = typer.Typer(
    cls=VerbGroup,
    help="Send load to a running server, and record every invocation.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
RUN = """
attacca load run burst.toml
attacca load run azure.toml --target http://server:8080 --out runs/azure --processes 2
attacca load run burst.toml --no-deploy --json | jq .p99_ms
"""
SCALE = """
attacca load scale hello --clients 16
attacca load scale hello --clients 64 --seconds 5 -d '{"name": "bob"}' --json
"""
BENCH = """
attacca load bench
attacca load bench hello thumbnail --cold 20 --warm 100 --out bench.json
"""

ScenarioPath = Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario's TOML file.", show_default=False)]
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Deployed functions. Default: all.")]
One = Annotated[str, typer.Argument(metavar="NAME", help="A deployed function.", show_default=False)]
Target = Annotated[str, typer.Option("--target", "--url", envvar="ATTACCA_URL", metavar="URL", help="The server.")]
Out = Annotated[
    str,
    typer.Option(
        "--out", metavar="DIR", help="Where the run is recorded. Default: runs/NAME-NUMBER.", show_default=False
    ),
]
Processes = Annotated[int, typer.Option("--processes", metavar="N", min=1, max=64, help="That send. Default: 1.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="In place of the scenario's.")]
NoDeploy = Annotated[bool, typer.Option("--no-deploy", help="The functions are there already: call them as they are.")]
Keep = Annotated[bool, typer.Option("--keep", help="Leave what was deployed on the server.")]
Examples = Annotated[
    str,
    typer.Option(
        "--examples", metavar="BENCH", show_default=False,
        help="Let examples stand for functions of like duration; what `attacca load bench` wrote of them.",
    ),
]  # fmt: skip
Clients = Annotated[int, typer.Option("--clients", metavar="N", min=1, help="At most so many. Default: 16.")]
StepS = Annotated[float, typer.Option("--seconds", metavar="S", min=0.1, help="With each number. Default: 3.")]
Data = Annotated[str, typer.Option("--data", "-d", metavar="JSON", help="What each invocation sends. Default: {}.")]
Cold = Annotated[int, typer.Option("--cold", metavar="N", min=0, help="Cold starts of each. Default: 10.")]
Warm = Annotated[int, typer.Option("--warm", metavar="N", min=0, help="Warm invocations of each. Default: 50.")]
BenchOut = Annotated[str, typer.Option("--out", metavar="FILE", help="Write it as JSON.", show_default=False)]


@app.command("run", cls=VerbCommand, epilog=RUN)
def run(
    path: ScenarioPath,
    *,
    target: Target = DEFAULT_URL,
    out: Out = "",
    processes: Processes = 1,
    seed: Seed = None,
    no_deploy: NoDeploy = False,
    keep: Keep = False,
    examples: Examples = "",
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Run a scenario: deploy its functions, send its invocations when they are due, record each of them.

    Ctrl-C sends nothing more and waits for answers, a second one does not wait; what was recorded stays.
    """
    from attacca.cli.client import Client
    from attacca.cli.gauge import bar, show_totals
    from attacca.cli.scenario import show as show_expected
    from attacca.cli.stage import Stage, free_directory, perform
    from attacca.kernel.clock import SystemClock
    from attacca.load.expected import expected
    from attacca.load.recorder import Recorder
    from attacca.load.schedule import Schedule

    scenario = _read(Path(path), seed)
    schedule = Schedule(scenario)
    asked = expected(scenario, schedule)
    if not as_json:
        show_expected(asked, stderr=True)
    called = {part.function for part in asked.parts}
    with Client(target, token) as client, Stage(client, token, keep=keep) as stage:
        plans = _mapped([one.plan for one in schedule.functions], asked, examples, quiet=as_json)
        wanted = [plan for plan in plans if plan.name in called]
        there = stage.use(wanted) if no_deploy else []
        if not no_deploy:
            _deploy(stage, wanted, quiet=as_json)
        directory = Path(out) if out else free_directory(scenario.name)
        keeper = Recorder(directory, scenario, "live", SystemClock().wall())
        with bar(quiet=as_json) as show:
            ended = perform(
                scenario, stage, keeper,
                schedule=schedule, calls=stage.calls(plans, there), processes=processes, show=show,
            )  # fmt: skip
        keeper.close(ended.totals, ended.wall_s)
    if as_json:
        show_json({"run": str(directory), "wall_s": ended.wall_s, **ended.totals})
    else:
        show_totals(ended.totals, ended.wall_s, str(directory))
    if ended.is_refused:
        raise Refused


@app.command("scale", cls=VerbCommand, epilog=SCALE)
def scale(
    name: One,
    *,
    clients: Clients = 16,
    seconds_each: StepS = 3.0,
    data: Data = "{}",
    target: Target = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Call a function from 1, 2, 4, ... clients that wait for their answers: where throughput ends."""
    from attacca.cli.client import Client
    from attacca.cli.ladder import climb, show
    from attacca.cli.stage import Stage

    with Client(target, token) as client, Stage(client, token, keep=True) as stage:
        rungs = climb(stage, name, data.encode(), clients, seconds_each, quiet=as_json)
    if as_json:
        show_json([rung._asdict() for rung in rungs])
    else:
        show(name, rungs)


@app.command("bench", cls=VerbCommand, epilog=BENCH)
def bench(
    names: Names = None,
    *,
    cold: Cold = 10,
    warm: Warm = 50,
    data: Data = "{}",
    out: BenchOut = "",
    target: Target = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Time functions cold, from their template and warm, and where the time goes."""
    import msgspec

    from attacca.cli.client import Client
    from attacca.cli.gauge import ticking
    from attacca.cli.timings import measure, show

    with Client(target, token) as client, ticking("timing", quiet=as_json) as tick:
        found = measure(client, names or [], cold, warm, data.encode(), tick)
    text = msgspec.json.format(msgspec.json.encode(found), indent=1)
    if out:
        Path(out).write_bytes(text + b"\n")
    if as_json:
        show_json(msgspec.to_builtins(found))
    else:
        show(found, out)


def _read(path: Path, seed: int | None) -> "Scenario":
    import msgspec

    from attacca.load.scenario import read

    scenario = read(path)
    return scenario if seed is None else msgspec.structs.replace(scenario, seed=seed)


def _mapped(
    plans: "list[FunctionPlan]", asked: "Expected", examples: str, *, quiet: bool
) -> "tuple[FunctionPlan, ...]":
    """Examples in place of our own body, where one takes about as long; said how well that goes."""
    if not examples:
        return tuple(plans)
    from attacca.cli.stage import with_examples
    from attacca.cli.timings import read, run_ms
    from attacca.load.bodies import map_to_examples, mapping_error

    wanted_ms = {part.function: part.mean_ms for part in asked.parts}
    mapped = map_to_examples(wanted_ms, run_ms(read(Path(examples))))
    many, without, error = mapping_error(mapped, {part.function: part.invocations for part in asked.parts})
    if not quiet:
        say(f"{many} functions have an example, {error:.1%} off on average; {without} have none near enough")
    return with_examples(plans, {one.function: one.example for one in mapped})


def _deploy(stage: "Stage", plans: "list[FunctionPlan]", *, quiet: bool) -> None:
    from attacca.cli.gauge import ticking

    with ticking("deploying", len(plans), quiet=quiet) as tick:
        stage.deploy(plans, tick)
