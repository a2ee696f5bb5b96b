"""One scenario live and simulated, in turns, with the same seed: what a difference between them says."""

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import msgspec

from attacca.client.program import ourselves
from attacca.errors import BadConfig, Conflict
from attacca.kernel.clock import SystemClock
from attacca.load.report.digest import Digest
from attacca.load.workload.scenario import Hardware, Scenario, read
from attacca.sim.measured import of_run
from attacca.sim.run import Options
from attacca.sim.run import run as simulated

FOREIGN_CORES = 0.1  # that others may use during a live run, beyond what the calibration has seen


class Failed(Exception):
    """A live run in a process of its own ended badly, and has said why."""


class Turns(NamedTuple):
    """Live runs, and the hashes of the simulations between them; more than one hash is a fault of the simulator's."""

    recorded: list[Path]
    hashes: set[str]


class Target(NamedTuple):
    """Whom a live run asks: a server that is there, or one of the run's own with options for `attacca up`."""

    url: str = ""
    token: str = ""
    up: str = ""


def planned(path: Path, seed: int | None, hardware: str) -> Scenario:
    """The scenario, with another seed or calibrated hardware.

    Raises:
        BadConfig: one of the files cannot be read, or makes no sense.
    """
    scenario = read(path)
    if seed is not None:
        scenario = msgspec.structs.replace(scenario, seed=seed)
    if hardware:
        scenario = msgspec.structs.replace(scenario, hardware=calibrated(Path(hardware)))
    return scenario


def calibrated(path: Path) -> Hardware:
    """The table [hardware] of a TOML file, or the whole of a JSON file.

    Raises:
        BadConfig: it cannot be read, or makes no sense.
    """
    try:
        decode = msgspec.json.decode if path.suffix == ".json" else msgspec.toml.decode
        content = decode(path.read_bytes())
        table = content.get("hardware", content) if isinstance(content, dict) else content
        return msgspec.convert(table, Hardware)
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}", "attacca sim calibrate RUN writes one") from None
    except (ValueError, RecursionError) as error:  # msgspec's own, and what TOML says of numbers and depths
        raise BadConfig(f"{path}: {error}", "attacca sim calibrate RUN writes one") from None


def free_directory(name: str) -> Path:
    """runs/NAME-validation-1, or the next number that is free."""
    return next(path for number in count(1) if not (path := Path("runs") / f"{name}-validation-{number}").exists())


def in_turns(scenario: Scenario, folder: Path, live: Sequence[Callable[[], Path]]) -> Turns:
    """A simulation after each live run: whatever drifts on the machine meets both, and the same seed must give the
    same events each time."""
    turns = Turns([], set())
    for measure_one in live:
        turns.recorded.append(measure_one())
        turns.hashes.add(simulate(scenario, folder / "simulated"))
    return turns


def simulate(scenario: Scenario, directory: Path) -> str:
    """The hash of the simulation's events."""
    return simulated(scenario, SystemClock(), Options(out=directory, replace=True)).hash


def measure(scenario: Scenario, folder: Path, name: str, target: Target) -> Path:
    """A live run, as `attacca load run` makes it.

    Raises:
        Conflict: there is one already.
        Failed: it ended badly.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = folder / "scenario.toml"
    plan.write_bytes(toml(msgspec.to_builtins(scenario)).encode())
    out = folder / name
    if (out / "run.json").exists():
        raise Conflict(f"{out} holds a run already", "give another --out; or this one as --live, to simulate only")
    words = ["load", "run", str(plan), "--out", str(out), "--json"]
    words += ["--token", target.token] if target.token else []
    words += ["--target", target.url] if target.url else [f"--up={target.up}"]
    if subprocess.run([*ourselves(), *words], stdout=subprocess.PIPE, check=False).returncode:
        raise Failed
    return out


def cautions(scenario: Scenario, recorded: Sequence[Path]) -> Iterator[str]:
    """What makes a difference say little of the simulation."""
    if scenario.hardware == Hardware():
        yield "The simulated hardware is made up: attacca sim calibrate RUN > FILE, and --hardware FILE."
    for path in recorded:
        taken, known = of_run(path).background, scenario.hardware.background
        if taken > known + FOREIGN_CORES:
            yield f"{path}: {taken:.2f} cores were busy with something else, {known:.2f} are known."


def of_scenario(digest: Digest, scenario: Scenario) -> Digest:
    """What a live run's scenario said of simulated hardware says nothing of the run."""
    said = {**digest.info.scenario, "hardware": msgspec.to_builtins(scenario.hardware)}
    return msgspec.structs.replace(digest, info=msgspec.structs.replace(digest.info, scenario=said))


def toml(tables: dict[str, object]) -> str:
    """A scenario as a file; what is unset is left out."""
    lines = [f"{key} = {_inline(value)}" for key, value in tables.items() if value is not None]
    return "\n".join(lines) + "\n"


def _inline(value: object) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{key} = {_inline(inner)}" for key, inner in value.items() if inner is not None)
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_inline(inner) for inner in value)}]"
    return json.dumps(value, ensure_ascii=False)
