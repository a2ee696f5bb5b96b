"""The simulator's speed, against SimPy on the same core in the same round; times are of the processor, not of the wall.

python bench/simulation.py MINUTES DIRECTORY  records one replay and prints what it came to, as JSON
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
    yield Result(f"replay of {many:,} invocations, 10 workers, unchecked", "s", floor, 5.0, off)
    yield Result(f"replay of {many:,} invocations, 10 workers, checked", "s", floor, 12.0, on)


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
    replay = scenario(int(sys.argv[1]))
    assert replay is not None
    outcome = run(replay, Processor(), Options(checks="off", out=Path(sys.argv[2]), replace=True))
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"memory_mb": memory_mb, "invocations": outcome.totals.invocations, "spent_s": outcome.wall_s}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
