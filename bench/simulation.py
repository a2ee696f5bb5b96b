"""The simulator's speed, against SimPy on the same core in the same round; times are of the processor, not of the wall.

python bench/simulation.py MINUTES DIRECTORY                    records one replay and prints what it came to, as JSON
python bench/simulation.py scale FUNCTIONS WORKERS INVOCATIONS  simulates so many and prints what it took
"""

import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec

from attacca.load.workload.scenario import Scenario, read
from attacca.load.workload.schedule import Schedule
from attacca.sim.run import Options, run
from bench.mm50 import on_ours, on_simpy
from bench.result import Result, Round

ROOT = Path(__file__).parents[1]
SCENARIO = ROOT / "examples/lab/azure-500.toml"
REPLAY_MINUTES, ALL_MINUTES = 30, 480
SWEPT = """name = "swept"
[workload]
duration_s = 30
[system]
workers = 4
cores = 8
memory_mb = 8000
"""
SWEPT_FUNCTION = """[[functions]]
name = "f{}"
shape = {{ kind = "poisson", rate = 10 }}
duration = {{ mean_ms = 50 }}
"""


class Processor:
    """A clock that stands still while others have the core."""

    def now(self) -> float:
        return time.process_time()

    def wall(self) -> float:
        return time.time()


def scenario(minutes: int) -> Scenario | None:
    """None: the trace is not here."""
    found = read(SCENARIO)
    workload = found.workload
    assert workload.trace is not None
    path = ROOT / workload.trace.path
    if not path.exists():
        sys.stderr.write(f"skipped: the trace is not at {workload.trace.path}\n")
        return None
    trace = msgspec.structs.replace(workload.trace, path=str(path), minutes=minutes)
    return msgspec.structs.replace(found, workload=msgspec.structs.replace(workload, trace=trace))


def spent_s(model: object, customers: int) -> float:
    assert callable(model)
    gc.collect()
    began = time.process_time()
    model(customers, 1)
    return time.process_time() - began


def simulation(rounds: int, customers: int) -> Iterator[Result]:
    """M/M/50 on SimPy and on our engine, and a replay of azure-2019-500 on ten workers, with and without checks."""
    queue = []
    for _ in range(rounds):
        floor_s = spent_s(on_simpy, customers)
        queue.append(Round(customers / spent_s(on_ours, customers), customers / floor_s))
    yield Result("M/M/50 on the engine", "customers/s", "SimPy", 3.0, queue, at_least=True)
    replay = scenario(REPLAY_MINUTES)
    if replay is None:
        return
    schedule, off, on = Schedule(replay), [], []
    many = sum(1 for _ in schedule)
    for _ in range(rounds):
        floor_s = spent_s(on_simpy, many)
        off.append(Round(run(replay, Processor(), Options(checks="off"), schedule).wall_s, floor_s))
        on.append(Round(run(replay, Processor(), Options(checks="touched"), schedule).wall_s, floor_s))
    floor = f"SimPy, {many:,} customers"
    yield Result(f"replay of {many:,} invocations, 10 workers, unchecked", "s", floor, 1.8, off)
    yield Result(f"replay of {many:,} invocations, 10 workers, checked", "s", floor, 12.0, on)


def plain(functions: int, workers: int, per_s: float, seconds: float) -> Scenario:
    """Functions that are called equally often, by chance."""
    each = {"memory_mb": 128, "shape": {"kind": "poisson", "rate": per_s / functions}, "duration": {"mean_ms": 50}}
    told = {
        "name": "plain",
        "workload": {"duration_s": seconds},
        "system": {"workers": workers, "cores": 8, "memory_mb": 8000},
        "functions": [{"name": f"f{number}", **each} for number in range(functions)],
    }
    return msgspec.convert(told, Scenario)


SECONDS = (
    120.0  # of work for 42 cores, with 100,000 invocations: half of what ten workers have, so that none has to wait
)


def scale(rounds: int, invocations: int) -> Iterator[Result]:
    """The same invocations on ten workers, on a thousand, and of 40,000 functions on a thousand."""
    many, most = [], []
    for _ in range(rounds):
        few_s = _simulated(500, 10, invocations)[0]
        many.append(Round(_simulated(500, 1000, invocations)[0], few_s))
        most.append(Round(_simulated(40_000, 1000, invocations)[0], few_s))
    floor = f"500 functions on 10 workers, {invocations:,} invocations"
    yield Result("500 functions on 1,000 workers, processor", "s", floor, 2.0, many)
    yield Result("40,000 functions on 1,000 workers, processor", "s", floor, 10.0, most)
    memory_mb = _simulated(40_000, 1000, invocations)[1]
    yield Result("40,000 functions on 1,000 workers, memory", "MB", "", 2048.0, [Round(memory_mb, 1.0)])


def _simulated(functions: int, workers: int, invocations: int) -> tuple[float, float]:
    """Seconds of the processor and megabytes, of a process of its own."""
    command = [sys.executable, __file__, "scale", str(functions), str(workers), str(invocations)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return told["spent_s"], told["memory_mb"]


def sweep(rounds: int, runs: int) -> Iterator[Result]:
    """A study on two processes, and with one run after another."""
    found = []
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "plain.toml")
        path.write_text(SWEPT + "".join(SWEPT_FUNCTION.format(number) for number in range(50)))
        for number in range(rounds):
            took = []
            for processes in ("2", "1"):
                out = f"{place}/{number}-{processes}"
                command = [sys.executable, "-m", "attacca.cli.app", "sim", "sweep", str(path), "--seeds", str(runs)]
                command += ["--set", "system.memory_mb=8000", "--processes", processes, "--out", out, "--json"]
                began = time.perf_counter()
                subprocess.run(command, capture_output=True, check=True)
                took.append(time.perf_counter() - began)
            found.append(Round(runs / took[0], runs / took[1]))
    yield Result(f"sweep of {runs} runs on two cores", "runs/s", "one after another", 1.8, found, at_least=True)


def eight_hours(rounds: int, minutes: int) -> Iterator[Result]:
    """The most memory that a replay of the whole trace holds, while it records every invocation."""
    if scenario(minutes) is None:
        return
    found = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            command = [sys.executable, __file__, str(minutes), place]
            ran = subprocess.run(command, capture_output=True, check=True)
        told = json.loads(ran.stdout)
        found.append(Round(told["memory_mb"], 1.0))
    yield Result(f"memory of a recorded replay, {told['invocations']:,} invocations", "MB", "", 1500.0, found)


def main() -> None:
    if sys.argv[1] == "scale":
        functions, workers, invocations = map(int, sys.argv[2:])
        began = time.process_time()
        run(plain(functions, workers, invocations / SECONDS, SECONDS), Processor(), Options(checks="off"))
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(json.dumps({"memory_mb": memory_mb, "spent_s": time.process_time() - began}) + "\n")
        return
    replay = scenario(int(sys.argv[1]))
    assert replay is not None
    outcome = run(replay, Processor(), Options(checks="off", out=Path(sys.argv[2]), replace=True))
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"memory_mb": memory_mb, "invocations": outcome.totals.invocations, "spent_s": outcome.wall_s}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
