"""`attacca trace`: look at traces, convert them, cut and scale them, draw samples, and make one up."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from attacca.cli.command import VerbCommand, VerbGroup
from attacca.cli.options import Json
from attacca.cli.screens.terminal import console, say, seconds, show_json
from attacca.cli.screens.traces import BESIDE, Sampled, show, show_fits, show_samples
from attacca.errors import BadConfig
from attacca.load.extra import need_lab

if TYPE_CHECKING:
    from attacca.load.traces.types import Trace

app = typer.Typer(
    cls=VerbGroup,
    help="Look at traces of the field, convert, cut, scale and sample them, and make up new ones.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
INFO = """
attacca trace info azure-2019-500
attacca trace info azure-2019-500 --minutes 30 --top 20
attacca trace info azure-2019-500 --json | jq .skew
"""
CONVERT = """
attacca trace convert azure-2019-500 azure --to attacca
attacca trace convert azure-2019-500 azure.csv --to azure2021 --minutes 30
"""
SLICE = "attacca trace slice azure-2019-500 first-half-hour --minutes 30"
SCALE = """
attacca trace scale azure-2019-500 tenth --rate 0.1
attacca trace scale azure-2019-500 slow --minutes 30 --time 2 --duration 0.5
"""
SAMPLE = """
attacca trace sample azure-2019-500 fifty -n 50
attacca trace sample azure-2019-500 sweep -n 25 -n 50 -n 100 -n 200
"""
SYNTH = """
attacca trace synth made-up --functions 200 --minutes 60 --target-rps 20
attacca trace synth made-up --functions 1000 --minutes 1440 --to azure2019 --seed 7
"""
PLOT = "attacca trace plot azure-2019-500 azure.svg"

Source = Annotated[str, typer.Argument(metavar="PATH", help="A trace's file or directory.", show_default=False)]
Target = Annotated[str, typer.Argument(metavar="NEW", help="Where to write; nothing may be there.", show_default=False)]
Format = Annotated[str, typer.Option("--format", metavar="NAME", help="What it is: docs/traces.md lists them.")]
To = Annotated[str, typer.Option("--to", metavar="NAME", help="The format to write.")]
Start = Annotated[int, typer.Option("--start", metavar="MINUTE", min=0, help="The first minute, from the trace's own.")]
Minutes = Annotated[
    int | None, typer.Option("--minutes", metavar="N", min=1, help="So many of them. Default: all.", show_default=False)
]
Spread = Annotated[
    str,
    typer.Option("--spread", metavar="HOW", help="uniform, exponential or equidistant: places inside a minute."),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Of places, durations and samples.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave malformed rows out, and say how many.")]
Top = Annotated[int, typer.Option("--top", metavar="N", min=0, help="So many of the busiest functions.")]


@app.command("info", cls=VerbCommand, epilog=INFO)
def info(
    path: Source, *, top: Top = 10, start: Start = 0, minutes: Minutes = None, format_: Format = "auto",
    spread: Spread = "uniform", seed: Seed = 1, skip_bad: SkipBad = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Show what a trace is: counts, rates, skew, triggers, durations, memory, the rhythm of the busiest functions."""
    trace = _open(path, format_, spread, seed, start=start, minutes=minutes, skip_bad=skip_bad)
    from attacca.load.traces.summary import summarise

    if as_json:
        show_json(msgspec.to_builtins(summarise(trace, top)))
    else:
        screen = console()
        show(summarise(trace, top, max(screen.width - BESIDE, 10)), screen.width)


@app.command("convert", cls=VerbCommand, epilog=CONVERT)
def convert(
    path: Source, new: Target, *, to: To = "attacca", start: Start = 0, minutes: Minutes = None,
    format_: Format = "auto", spread: Spread = "uniform", seed: Seed = 1, skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Write a trace in another format. What that format cannot say is lost."""
    trace = _open(path, format_, spread, seed, start=start, minutes=minutes, skip_bad=skip_bad)
    _write(trace, new, to, as_json=as_json)


@app.command("slice", cls=VerbCommand, epilog=SLICE)
def slice_(
    path: Source, new: Target, *, start: Start = 0, minutes: Minutes = None, to: To = "attacca",
    format_: Format = "auto", spread: Spread = "uniform", seed: Seed = 1, skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Write some minutes of a trace: the same invocations that they have in the whole."""
    trace = _open(path, format_, spread, seed, start=start, minutes=minutes, skip_bad=skip_bad)
    _write(trace, new, to, as_json=as_json)


@app.command("scale", cls=VerbCommand, epilog=SCALE)
def scale(
    path: Source, new: Target, *,
    rate: Annotated[float, typer.Option("--rate", min=0.0, help="Below 1: thinned; above: as many times.")] = 1.0,
    time: Annotated[float, typer.Option("--time", help="2: the trace takes twice as long.")] = 1.0,
    duration: Annotated[float, typer.Option("--duration", help="2: every invocation takes twice as long.")] = 1.0,
    most_ms: Annotated[float, typer.Option("--duration-most-ms", help="None takes longer.")] = float("inf"),
    start: Start = 0, minutes: Minutes = None, to: To = "attacca", format_: Format = "auto", spread: Spread = "uniform",
    seed: Seed = 1, skip_bad: SkipBad = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Write a trace with another rate, speed, or durations. Thinning keeps every function."""
    for name, value in (("--rate", rate), ("--time", time), ("--duration", duration), ("--duration-most-ms", most_ms)):
        if not value > 0:
            raise BadConfig(f"{name} {value:g} is not above 0", f"{name} 0.5")
    trace = _open(path, format_, spread, seed, start=start, minutes=minutes, skip_bad=skip_bad)
    from attacca.load.traces.transforms.scaled import Scale, Scaled

    scaled = Scaled(trace, Scale(rate=rate, time=time, duration=duration, duration_most_ms=most_ms), seed)
    _write(scaled, new, to, as_json=as_json)


@app.command("sample", cls=VerbCommand, epilog=SAMPLE)
def sample(
    path: Source, new: Target, *,
    sizes: Annotated[
        list[int], typer.Option("-n", "--functions", min=1, help="How many; give it again for more sizes.")
    ],
    keep: Annotated[
        str, typer.Option("--keep", metavar="WHAT", help="shape: what functions are like; load: invocations; both.")
    ] = "both",
    start: Start = 0, minutes: Minutes = None, to: To = "attacca", format_: Format = "auto",
    spread: Spread = "uniform", seed: Seed = 1, skip_bad: SkipBad = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Write samples of functions, near the whole in their shape, their load or both; the smaller within the larger."""
    source, notes = _source(path, format_, spread, seed, start=start, minutes=minutes, skip_bad=skip_bad)
    from attacca.load.traces.transforms.nearness import as_keep
    from attacca.load.traces.transforms.sampling import Sampler
    from attacca.load.traces.writing import write

    there = source.functions.height
    if max(sizes) > there:
        raise BadConfig(f"the trace has {there} functions, fewer than {max(sizes)}", f"-n {there} at most")
    _tell(notes)
    sampler = Sampler(source.functions, seed, as_keep(keep))
    rows = []
    for size, chosen in reversed(sampler.chain(sizes).items()):
        folder = Path(new) / str(size) if len(set(sizes)) > 1 else Path(new)
        part = source.only(chosen)
        write(part, folder, to)
        calls = int(part.functions["invocations"].sum())
        rows.append(Sampled(size, calls, sampler.distance(chosen), sampler.standing(chosen), str(folder)))
    if as_json:
        show_json([
            {"functions": row.size, "invocations": row.invocations, "path": row.where}
            | msgspec.to_builtins(row.distance) | {"shape": row.distance.shape}
            | {"standing": msgspec.to_builtins(row.standing)}
            for row in rows
        ])  # fmt: skip
        return
    show_samples(rows)
    say(f"Written to {', '.join(row.where for row in rows)}.", "green")
    if sampler.caution():
        say(f"Note: {sampler.caution()}.", "yellow")


@app.command("synth", cls=VerbCommand, epilog=SYNTH)
def synth(
    new: Target, *,
    functions: Annotated[int, typer.Option("--functions", "-n", min=1, help="How many functions.")] = 100,
    minutes: Annotated[int, typer.Option("--minutes", min=1, help="How long.")] = 60,
    start: Annotated[int, typer.Option("--start", min=0, help="Minute of the week, from Monday 00:00.")] = 0,
    target_rps: Annotated[
        float | None,
        typer.Option("--target-rps", help="Mean invocations per second. Default: as drawn.", show_default=False),
    ] = None,
    coupling: Annotated[
        float, typer.Option("--rank-coupling", min=0.0, max=1.0, help="How much the popular are the short ones.")
    ] = 0.0,
    seed: Seed = 1, to: To = "attacca", as_json: Json = False,
) -> None:  # fmt: skip
    """Make up a trace like Azure's from published curves, without any data, and say how well it fits them."""
    if target_rps is not None and not target_rps > 0:
        raise BadConfig(f"--target-rps {target_rps:g} is not above 0", "--target-rps 20")
    need_lab()
    from attacca.load.traces.fitness import fits, load
    from attacca.load.traces.synth import Azure, Recipe
    from attacca.load.traces.writing import write

    recipe = Recipe(
        functions=functions,
        minutes=minutes,
        start_minute=start,
        target_rps=target_rps,
        rank_coupling=coupling,
        seed=seed,
    )
    azure = Azure(recipe)
    trace = azure.trace()
    write(trace, Path(new), to)
    invocations = int(trace.functions["invocations"].sum())
    fitting = fits(azure)
    if as_json:
        body = {"path": new, "format": to, "invocations": invocations, "drawn_rps": azure.drawn_rps}
        show_json({**body, "fits": msgspec.to_builtins(fitting)})
        return
    show_fits(fitting)
    say(load(azure, invocations) + ".")
    say(f"Written to {new}.", "green")


@app.command("plot", cls=VerbCommand, epilog=PLOT)
def plot(
    path: Source,
    out: Annotated[str, typer.Argument(metavar="FIGURE", help="An .svg, .png or .pdf file.", show_default=False)], *,
    start: Start = 0, minutes: Minutes = None, format_: Format = "auto", spread: Spread = "uniform", seed: Seed = 1,
    skip_bad: SkipBad = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Draw arrivals over time, the skew between functions, and durations."""
    if Path(out).suffix not in (".svg", ".png", ".pdf"):
        raise BadConfig(f"{out}: the ending says which form, and this is none", f"{Path(out).stem}.svg")
    trace = _open(path, format_, spread, seed, start=start, minutes=minutes, skip_bad=skip_bad)
    from attacca.load.report.trace_figures import draw

    draw(trace, Path(out), Path(path).name)
    if as_json:
        show_json({"path": out})
    else:
        say(f"Drawn to {out}.", "green")


def _open(
    path: str,
    format_: str,
    spread: str,
    seed: int,
    *,
    start: int,
    minutes: int | None,
    skip_bad: bool,
) -> "Trace":
    trace: Trace
    trace, notes = _source(path, format_, spread, seed, start=start, minutes=minutes, skip_bad=skip_bad)
    _tell(notes)
    return trace


def _source(
    path: str, format_: str, spread: str, seed: int, *, start: int, minutes: int | None, skip_bad: bool
) -> tuple[Any, tuple[str, ...]]:
    """The trace as it is, without the caps that a scenario puts on it."""
    need_lab()
    from attacca.load.traces.formats import read_part
    from attacca.load.traces.reading import Reading, as_spread

    reading = Reading(seed=seed, spread=as_spread(spread), start_minute=start, minutes=minutes)
    reading.bad.skip = skip_bad
    source = read_part(Path(path).expanduser(), format_, reading)
    left_out = (f"{reading.bad.told()}\n  left out",) * bool(reading.bad.count)
    return source, source.notes + left_out


def _tell(notes: tuple[str, ...]) -> None:
    for note in notes:
        say(f"Note: {note}", "yellow")


def _write(trace: "Trace", new: str, to: str, *, as_json: bool) -> None:
    from attacca.load.traces.writing import stand_ins, write

    write(trace, Path(new), to)
    _tell(stand_ins(trace, to))
    invocations = int(trace.functions["invocations"].sum())
    if as_json:
        body = {"path": new, "format": to, "functions": trace.functions.height, "invocations": invocations}
        show_json({**body, "length_s": trace.length_s})
    else:
        functions = trace.functions.height
        say(
            f"Written to {new}: {invocations:,} invocations of {functions:,} functions in {seconds(trace.length_s)}.",
            "green",
        )
