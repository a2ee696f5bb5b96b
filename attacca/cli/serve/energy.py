"""`attacca energy`: what this machine spends, written down without a server."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attacca.cli.command import PlaneGroup, VerbCommand
from attacca.cli.options import Json
from attacca.cli.screens.terminal import say, show_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from attacca.worker.host.energy.monitor import Monitor, Row, Summary
    from attacca.worker.host.energy.options import EnergyConfig
    from attacca.worker.host.energy.processes import ProcessWatch
    from attacca.worker.host.energy.types import Source

EXAMPLES = """
attacca energy monitor --out ./energy --seconds 60
attacca energy monitor --out ./energy --source powercap --source ipmi --every 0.5 --parquet
attacca energy monitor --out ./energy --process $(pgrep -f 'attacca up') --process 4711
"""
SOURCES = """
attacca energy sources
"""
app = typer.Typer(
    cls=PlaneGroup,
    help="Write down what this machine spends.",
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("monitor", cls=VerbCommand, epilog=EXAMPLES)
def monitor(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where its files are written to.")],
    source: Annotated[
        list[str] | None,
        typer.Option("--source", help="Whom to ask; may be repeated. Default: all there are."),
    ] = None,
    every_s: Annotated[float, typer.Option("--every", metavar="SECONDS", min=0.05, max=60, help="Between two.")] = 1.0,
    seconds: Annotated[float, typer.Option("--seconds", metavar="SECONDS", min=0, help="0: until it is ended.")] = 0.0,
    process: Annotated[
        list[int] | None, typer.Option("--process", metavar="PID", min=1, help="Its share, too; may be repeated.")
    ] = None,
    idle_w: Annotated[float, typer.Option("--idle", metavar="WATTS", min=0, help="That are no process's.")] = 0.0,
    parquet: Annotated[bool, typer.Option("--parquet", help="A table of all of it besides (extra `lab`).")] = False,
    powercap: Annotated[
        Path, typer.Option("--powercap", metavar="DIR", help="Where the kernel's counters are.")
    ] = Path("/sys/class/powercap"),
    msr: Annotated[Path, typer.Option("--msr", metavar="DIR", help="Where registers are.")] = Path("/dev/cpu"),
    ipmi_host: Annotated[
        str, typer.Option("--ipmi-host", metavar="HOST", help="Ask a controller over the network.")
    ] = "",
    ipmi_user: Annotated[str, typer.Option("--ipmi-user", metavar="NAME", help="As whom.")] = "",
    ipmi_password_file: Annotated[str, typer.Option("--ipmi-password-file", metavar="FILE", help="With this.")] = "",
    as_json: Json = False,
) -> None:
    """Write down what this machine spends, without a server, into the files that Ilúvatar's energy monitor writes.

    Ends after --seconds, or with Ctrl+C; then it says how much each source told of.
    """
    from attacca.errors import BadConfig
    from attacca.kernel.clock import SystemClock
    from attacca.load.extra import need_lab
    from attacca.worker.host.energy.files import Files
    from attacca.worker.host.energy.monitor import Monitor
    from attacca.worker.host.energy.options import EnergyConfig
    from attacca.worker.host.energy.processes import ProcessWatch

    if parquet:
        need_lab()
    clock = SystemClock()
    config = EnergyConfig(
        every_s=every_s, powercap=str(powercap), msr=str(msr), ipmi_host=ipmi_host, ipmi_user=ipmi_user,
        ipmi_password_file=ipmi_password_file,
    )  # fmt: skip
    files = Files(out)
    asked = opened(config, source, lambda name, line: files.line(name, line, clock.wall()))
    if not asked and not process:
        raise BadConfig("this machine says nothing of its energy", "attacca doctor says what was looked for")
    processes = ProcessWatch(process, idle_w) if process else None
    going = Monitor(asked, files, clock, every_s, processes, is_table=parquet)
    summaries = _run(going, seconds)
    if parquet:
        write_table(out / "energy.parquet", going.rows)
    if going.is_cut:
        say(f"The table has what came first, {len(going.rows):,} rows; the files have all of it.", "yellow")
    _tell(summaries, processes, as_json=as_json)


@app.command("sources", cls=VerbCommand, epilog=SOURCES)
def sources(*, as_json: Json = False) -> None:
    """List the sources of energy figures that there are, and why the others cannot be asked."""
    from attacca.worker.host.energy.opening import tried
    from attacca.worker.host.energy.options import EnergyConfig

    found = tried(EnergyConfig())
    if as_json:
        show_json({name: "" if why is None else why.message for name, why in found.items()})
        return
    for name, why in found.items():
        sys.stdout.write(f"{name:<9} {'can be asked' if why is None else why.message}\n")
        if why is not None and why.hint:
            sys.stdout.write(f"{'':<9} try: {why.hint}\n")


def opened(config: "EnergyConfig", names: list[str] | None, told: "Callable[[str, str], None]") -> "list[Source]":
    """Those of these names, or all that there are. `told`: is given the lines of those that say lines.

    Raises:
        BadConfig: one that was named cannot be asked.
    """
    from attacca.errors import BadConfig
    from attacca.worker.host.energy.opening import EVERY, all_opened

    if unknown := [name for name in names or () if name not in EVERY]:
        raise BadConfig(f"no source is called {unknown[0]!r}", f"--source {', '.join(EVERY)}")
    asked, silent = all_opened(config, names, told)
    for name, error in silent.items() if names else ():
        for one in asked:
            one.close()
        raise BadConfig(f"{name} cannot be asked: {error.message}", error.hint or "attacca doctor")
    return asked


def _run(going: "Monitor", seconds: float) -> "tuple[Summary, ...]":
    """Until its time is over, or somebody ends it."""
    import signal
    import threading

    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    going.open()
    over.wait(seconds or None)
    return going.close()


def write_table(path: Path, rows: "list[Row]") -> None:
    """
    Raises:
        StateUnavailable: it cannot be written.
    """
    import polars

    from attacca.errors import StateUnavailable

    columns = {name: [getattr(row, name) for row in rows] for name in ("at", "source", "part", "joules", "watts")}
    kinds = {
        "at": polars.Float64, "source": polars.String, "part": polars.String, "joules": polars.Float64,
        "watts": polars.Float64,
    }  # fmt: skip
    frame = polars.DataFrame(columns, schema=kinds).with_columns(
        (polars.col("at") * 1e6).cast(polars.Int64).cast(polars.Datetime("us", "UTC"))
    )
    new = path.with_suffix(".new")
    try:
        frame.write_parquet(new)
        os.replace(new, path)
    except OSError as error:
        raise StateUnavailable(f"{path} cannot be written: {error.strerror}", "another --out") from None


def _tell(summaries: "tuple[Summary, ...]", processes: "ProcessWatch | None", *, as_json: bool) -> None:
    import msgspec

    shares = {} if processes is None else {str(pid): joules for pid, joules in processes.joules.items()}
    if as_json:
        show_json({"sources": msgspec.to_builtins(summaries), "processes": shares})
        return
    for one in summaries:
        if one.readings:
            sys.stdout.write(f"{one.source}: {one.joules:.3f} J in {one.seconds:.1f} s, {one.watts:.2f} W\n")
        else:
            say(f"{one.source} said nothing: {one.silent}", "yellow")
    for pid, joules in shares.items():
        sys.stdout.write(f"process {pid}: {joules:.3f} J\n")
