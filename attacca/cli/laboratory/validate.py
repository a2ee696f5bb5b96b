"""`attacca validate`: one scenario live and simulated, side by side, and how far they are apart."""

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attacca.cli.command import Refused
from attacca.cli.laboratory.report import width, write
from attacca.cli.options import Json, Token
from attacca.cli.screens.terminal import put, say, show_json
from attacca.client.program import ourselves
from attacca.errors import BadConfig, Conflict
from attacca.load.extra import need_lab

if TYPE_CHECKING:
    from collections.abc import Callable

    from attacca.lab.steady import Machine
    from attacca.load.report.digest import Digest
    from attacca.load.report.groups import Group
    from attacca.load.workload.scenario import Hardware, Scenario

EXAMPLES = """
attacca validate burst.toml  # starts a server as the scenario describes it, and stops it
attacca validate azure.toml --target http://10.0.0.5:8080 --hardware calibrated.toml
attacca validate burst.toml --strict --out runs/check --report check.html
attacca validate burst.toml --runs 3  # and how far live runs are apart from one another
attacca validate burst.toml --live runs/burst-1  # recorded before
"""
FOREIGN_CORES = 0.1  # that others may use during a live run, beyond what the calibration has seen


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
    from attacca.load.report.groups import grouped, twins
    from attacca.load.report.measure import read as read_digest
    from attacca.load.report.sections import report as make_report

    scenario = planned(Path(path), seed, hardware)
    folder = Path(out) if out else free(scenario.name)
    machine = None if live else seen(as_json=as_json)
    recorded = [Path(one) for one in live or ()]
    if not recorded:
        names = ["live"] if runs == 1 else [f"live-{number}" for number in range(1, runs + 1)]
        recorded = in_turns(scenario, folder, [measure_of(scenario, folder, name, target, token, up) for name in names])
    else:
        simulate(scenario, folder / "simulated")
    digests = [of_scenario(read_digest(one), scenario) for one in (*recorded, folder / "simulated")]
    if report:
        write(make_report(digests), Path(report))
    pairs = twins(grouped(digests))
    if not pairs:
        hint = "give a live run of this very scenario and seed, or none"
        raise BadConfig(f"{', '.join(map(str, recorded))}: no live run of {scenario.name}", hint)
    if not as_json:
        caution(scenario, recorded)
    show(*pairs[0], folder, machine, as_json=as_json, strict=strict)


def seen(*, as_json: bool) -> "Machine":
    """What this machine is like, said before it is measured."""
    from attacca.kernel.clock import SystemClock
    from attacca.lab.steady import look

    machine = look(SystemClock().now)
    if not as_json:
        say(machine.told(), "yellow" if machine.reasons() else "green")
    return machine


def in_turns(scenario: "Scenario", folder: Path, live: "list[Callable[[], Path]]") -> list[Path]:
    """A simulation after each live run: whatever drifts on the machine meets both, and the same seed must give the
    same events each time."""
    recorded, hashes = [], set()
    for one in live:
        recorded.append(one())
        hashes.add(simulate(scenario, folder / "simulated"))
    if len(hashes) > 1:
        say(f"! {len(hashes)} different simulations of one seed: {', '.join(sorted(hashes))}", "red")
    return recorded


def measure_of(scenario: "Scenario", folder: Path, name: str, target: str, token: str, up: str) -> "Callable[[], Path]":
    return lambda: measure(scenario, folder, name, target, token, up)


def planned(path: Path, seed: int | None, hardware: str) -> "Scenario":
    import msgspec

    from attacca.load.workload.scenario import read

    scenario = read(path)
    if seed is not None:
        scenario = msgspec.structs.replace(scenario, seed=seed)
    if hardware:
        scenario = msgspec.structs.replace(scenario, hardware=calibrated(Path(hardware)))
    return scenario


def calibrated(path: Path) -> "Hardware":
    """The table [hardware] of a TOML file, or the whole of a JSON file."""
    import msgspec

    from attacca.load.workload.scenario import Hardware

    try:
        decode = msgspec.json.decode if path.suffix == ".json" else msgspec.toml.decode
        found = decode(path.read_bytes())
        table = found.get("hardware", found) if isinstance(found, dict) else found
        return msgspec.convert(table, Hardware)
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}", "attacca sim calibrate RUN writes one") from None
    except (ValueError, RecursionError) as error:  # msgspec's own, and what TOML says of numbers and depths
        raise BadConfig(f"{path}: {error}", "attacca sim calibrate RUN writes one") from None


def caution(scenario: "Scenario", recorded: "list[Path]") -> None:
    """What makes a difference say little of the simulation."""
    from attacca.load.workload.scenario import Hardware
    from attacca.sim.measured import of_run

    hardware = scenario.hardware
    if hardware == Hardware():
        say("The simulated hardware is made up: attacca sim calibrate RUN > FILE, and --hardware FILE.", "yellow")
    for path in recorded:
        taken, known = of_run(path).background, hardware.background
        if taken > known + FOREIGN_CORES:
            say(f"{path}: {taken:.2f} cores were busy with something else, {known:.2f} are known.", "yellow")


def of_scenario(digest: "Digest", scenario: "Scenario") -> "Digest":
    """What a live run's scenario said of simulated hardware says nothing of the run."""
    import msgspec

    said = {**digest.info.scenario, "hardware": msgspec.to_builtins(scenario.hardware)}
    return msgspec.structs.replace(digest, info=msgspec.structs.replace(digest.info, scenario=said))


def free(name: str) -> Path:
    from itertools import count

    return next(path for number in count(1) if not (path := Path("runs") / f"{name}-validation-{number}").exists())


def simulate(scenario: "Scenario", directory: Path) -> str:
    from attacca.kernel.clock import SystemClock
    from attacca.sim.run import Options
    from attacca.sim.run import run as simulated

    return simulated(scenario, SystemClock(), Options(out=directory, replace=True)).hash


def measure(scenario: "Scenario", folder: Path, name: str, target: str, token: str, up: str) -> Path:
    """A live run, as `attacca load run` makes it."""
    import msgspec

    folder.mkdir(parents=True, exist_ok=True)
    planned_here = folder / "scenario.toml"
    planned_here.write_bytes(_toml(msgspec.to_builtins(scenario)).encode())
    out = folder / name
    if (out / "run.json").exists():
        raise Conflict(f"{out} holds a run already", "give another --out; or this one as --live, to simulate only")
    words = ["load", "run", str(planned_here), "--out", str(out), "--json"]
    words += ["--token", token] if token else []
    words += ["--target", target] if target else [f"--up={up}"]
    _attacca(words)
    return out


def _attacca(words: list[str]) -> None:
    """Another verb, in a process of its own; what it says on stderr is seen."""
    ended = subprocess.run([*ourselves(), *words], stdout=subprocess.PIPE, check=False)
    if ended.returncode:
        raise Refused


def _toml(tables: dict[str, object]) -> str:
    """A scenario as a file; what is unset is left out."""
    lines = [f"{key} = {_inline(value)}" for key, value in tables.items() if value is not None]
    return "\n".join(lines) + "\n"


def _inline(value: object) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{key} = {_inline(one)}" for key, one in value.items() if one is not None)
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_inline(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False)


def show(
    live: "Group", simulated: "Group", folder: Path, machine: "Machine | None", *, as_json: bool, strict: bool
) -> None:
    from attacca.lab.steady import plain
    from attacca.load.report.groups import quantile_distance
    from attacca.load.report.text import table
    from attacca.load.report.validation import against_itself, gaps, validation
    from attacca.load.sending.pacing import LATE_S, LATE_WARN

    found = gaps(live, simulated)
    if as_json:
        rows = [
            {"metric": one.metric, "live": one.live.value, "each": live.values(one.metric), "live_apart": one.spread,
             "simulated": one.simulated.value, "difference": one.gap,
             "interval": one.reach, "unit": one.unit, "bar": one.bar, "near": one.is_near,
             "verdict": one.verdict}
            for one in found
        ]  # fmt: skip
        told = {"run": str(folder), "metrics": rows, "ks": quantile_distance(live, simulated)}
        show_json({**told, "machine": plain(machine)} if machine is not None else told)
    else:
        put("\n".join(table(against_itself(live), max(width(), 140))))
        put("")
        put("\n".join(table(validation(live, simulated), max(width(), 140))))
        late = live.first.late
        if late.get("share", 0.0) > LATE_WARN:
            say(f"{late['share']:.0%} were sent over {LATE_S * 1e3:g} ms late.", "yellow")
        say(f"  in {folder}", "dim")
    far = [one.metric for one in found if not one.is_near]
    if strict and far:
        say(f"Beyond their bars: {', '.join(far)}.", "red")
        raise Refused
