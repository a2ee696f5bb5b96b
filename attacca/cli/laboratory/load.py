"""`attacca load`: send load to a running server and record what becomes of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attacca.cli.command import Refused, VerbCommand, VerbGroup
from attacca.cli.options import DEFAULT_URL, Json, Token
from attacca.cli.screens.terminal import say, show_json
from attacca.errors import BadConfig
from attacca.load.extra import need_lab

if TYPE_CHECKING:
    from attacca.lab.bodies import Known
    from attacca.load.workload.scenario import Scenario

app = typer.Typer(
    cls=VerbGroup,
    help="Send load to a running server, and record every invocation.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
RUN = """
attacca load run burst.toml  # starts a server as the scenario describes it, and stops it
attacca load run azure.toml --target http://server:8080 --out runs/azure --processes 2
attacca load run burst.toml --target http://127.0.0.1:8080 --no-deploy --as-it-is --json | jq .p99_ms
"""
SCALE = """
attacca load scale hello --clients 16
attacca load scale hello --clients 64 --seconds 5 -d '{"name": "bob"}' --out runs/hello && attacca report runs/hello
attacca load scale api --path /items
"""
BENCH = """
attacca load bench
attacca load bench hello thumbnail --cold 20 --warm 100 --out bench.json
attacca load bench shop --path '/items?tag=new' -d '{"name": "cup"}'
"""
EXPORT = """
attacca load export runs/burst-1
attacca load export runs/burst-1 --out csv --json
"""

ScenarioPath = Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario's TOML file.", show_default=False)]
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Deployed functions. Default: all.")]
One = Annotated[str, typer.Argument(metavar="NAME", help="A deployed function.", show_default=False)]
RunTarget = Annotated[
    str,
    typer.Option("--target", "--url", metavar="URL", help="A server. Default: one of our own.", show_default=False),
]
AsItIs = Annotated[bool, typer.Option("--as-it-is", help="Take the server though it is not what [system] says.")]
Up = Annotated[str, typer.Option("--up", metavar="OPTIONS", help="For the server that is started.", show_default=False)]
Target = Annotated[str, typer.Option("--target", "--url", envvar="ATTACCA_URL", metavar="URL", help="The server.")]
Out = Annotated[
    str,
    typer.Option(
        "--out", metavar="DIR", help="Where the run is recorded. Default: runs/NAME-NUMBER.", show_default=False
    ),
]
Processes = Annotated[
    int | None, typer.Option("--processes", metavar="N", min=1, max=64, help="That send. Default: what the rate needs.")
]
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
Data = Annotated[
    str,
    typer.Option("--data", "-d", metavar="JSON", help="What each invocation sends. Default: {}.", show_default=False),
]
Path_ = Annotated[
    str, typer.Option("--path", metavar="PATH", help="What follows its name: /items?tag=new.", show_default=False)
]
ScaleOut = Annotated[
    str,
    typer.Option(
        "--out", metavar="DIR", help="Where its runs are recorded. Default: runs/NAME-scale-NUMBER.", show_default=False
    ),
]
Cold = Annotated[int, typer.Option("--cold", metavar="N", min=0, help="Cold starts of each. Default: 10.")]
Warm = Annotated[int, typer.Option("--warm", metavar="N", min=0, help="Warm invocations of each. Default: 50.")]
BenchOut = Annotated[str, typer.Option("--out", metavar="FILE", help="Write it as JSON.", show_default=False)]


@app.command("run", cls=VerbCommand, epilog=RUN)
def run(
    path: ScenarioPath,
    *,
    target: RunTarget = "",
    as_it_is: AsItIs = False,
    up: Up = "",
    out: Out = "",
    processes: Processes = None,
    seed: Seed = None,
    no_deploy: NoDeploy = False,
    keep: Keep = False,
    examples: Examples = "",
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Run a scenario: deploy its functions, send its invocations when they are due, record each of them.

    Without --target on a server of its own, which is as the scenario's [system] says and gone afterwards. Ctrl-C sends
    nothing more and waits for answers, a second one does not wait; what was recorded stays.
    """
    need_lab()
    from attacca.cli.laboratory.scenario import check_policies
    from attacca.cli.laboratory.scenario import show as show_expected
    from attacca.cli.screens.progress import Watching, show_totals
    from attacca.lab.live_run import Order, live
    from attacca.lab.local_server import not_applied, server
    from attacca.load.workload.expected import expected
    from attacca.load.workload.schedule import Schedule

    if not target and (no_deploy or keep):
        raise BadConfig("a server of its own has no functions before the run and none after it", "give --target URL")
    scenario = _read(Path(path), seed)
    check_policies(scenario.system)
    _expect_one_source(scenario)
    schedule = Schedule(scenario)
    asked = expected(scenario, schedule)
    if not as_json:
        show_expected(asked, stderr=True)
    for fault in not_applied(scenario):
        say(f"{fault}: a live run does without", "yellow")
    order = Order(
        scenario, schedule, asked, Path(path), directory=out, processes=processes or asked.processes, examples=examples,
        as_it_is=as_it_is, no_deploy=no_deploy, keep=keep,
    )  # fmt: skip
    watching = Watching(quiet=as_json)
    if target:
        directory, ended = live(order, target, token, watching)
    else:
        with server(scenario.system, up, say) as url:
            directory, ended = live(order, url, "", watching, is_ours=True)
    if as_json:
        show_json({"run": str(directory), "wall_s": ended.wall_s, **ended.totals})
    else:
        show_totals(ended.totals, str(directory))
    if ended.is_refused:
        raise Refused


@app.command("scale", cls=VerbCommand, epilog=SCALE)
def scale(
    name: One,
    *,
    clients: Clients = 16,
    seconds_each: StepS = 3.0,
    data: Data = "",
    path: Path_ = "",
    out: ScaleOut = "",
    target: Target = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Call a function from 1, 2, 4, ... clients that wait for their answers: where throughput ends.

    Each number of clients is a run of its own; `attacca report` of them draws latency against throughput.
    """
    from attacca.cli.screens.progress import ticking
    from attacca.cli.screens.ramp import show
    from attacca.client.http import Client
    from attacca.lab.environment import Environment
    from attacca.lab.live_run import free_directory
    from attacca.lab.ramp import climb, steps

    directory = Path(out) if out else free_directory(f"{name}-scale")
    with (
        Client(target, token) as client,
        Environment(client, token, keep=True) as environment,
        ticking("clients", len(steps(clients)), quiet=as_json) as tick,
    ):
        rungs = climb(environment, name, _asked(data, path), clients, seconds_each, directory, tick)
    if as_json:
        show_json([rung._asdict() for rung in rungs])
    else:
        show(name, rungs, str(directory))


@app.command("bench", cls=VerbCommand, epilog=BENCH)
def bench(
    names: Names = None,
    *,
    cold: Cold = 10,
    warm: Warm = 50,
    data: Data = "",
    path: Path_ = "",
    out: BenchOut = "",
    target: Target = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Time functions cold, from their template and warm, and where the time goes."""
    import msgspec

    from attacca.cli.screens.bench import show
    from attacca.cli.screens.progress import ticking
    from attacca.client.http import Client
    from attacca.lab.bench import measure

    with Client(target, token) as client, ticking("timing", quiet=as_json) as tick:
        timed = measure(client, names or [], cold, warm, _asked(data, path), tick)
    text = msgspec.json.format(msgspec.json.encode(timed), indent=1)
    if out:
        Path(out).write_bytes(text + b"\n")
    if as_json:
        show_json(msgspec.to_builtins(timed))
    else:
        show(timed, out)


@app.command("export", cls=VerbCommand, epilog=EXPORT)
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's directory.", show_default=False)],
    *,
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Default: RUN/csv.", show_default=False)] = "",
    as_json: Json = False,
) -> None:
    """Write a run, live or simulated, as records.csv and samples.csv, their columns by name."""
    from attacca.load.records.reading import export_csv, read_run

    written = export_csv(read_run(Path(run)), Path(out) if out else Path(run) / "csv")
    if as_json:
        show_json([str(path) for path in written])
    else:
        for path in written:
            say(str(path), "green")


def _expect_one_source(scenario: "Scenario") -> None:
    workload = scenario.workload
    if workload.clients is not None and (workload.trace or any(plan.shape for plan in scenario.functions)):
        raise BadConfig(
            "a live run sends what its clients choose or what a schedule says, and this scenario has both",
            "leave out workload.clients, or the trace and the shapes; or simulate it: attacca sim run",
        )


def _read(path: Path, seed: int | None) -> "Scenario":
    import msgspec

    from attacca.load.workload.scenario import read

    scenario = read(path)
    return scenario if seed is None else msgspec.structs.replace(scenario, seed=seed)


def _asked(data: str, path: str) -> "Known":
    from attacca.lab.bodies import Known

    return Known(path=path, body=data.encode()) if data else Known(path=path)
