"""One cell of a study, as a process is told of it, here or on another machine, and what it does then."""

import importlib
import tempfile
from pathlib import Path
from typing import Final, Protocol

import msgspec

from attacca.errors import Conflict
from attacca.load.workload.scenario import Scenario
from attacca.sim.study.grid import fingerprint

SIMULATE: Final = "attacca.sim.study.recorded:simulate"
CHECKED: Final = "attacca.sim.study.recorded:simulate_checked"


class Simulate(Protocol):
    """Runs one scenario and records it, as `run.json`, records and samples, in a directory."""

    def __call__(self, scenario: Scenario, directory: Path, /) -> None: ...


class Job(msgspec.Struct, frozen=True):
    """What a process, here or on another machine, is told. `directory` unset: nothing but the digest is kept."""

    scenario: Scenario
    simulate: str
    mark: str
    directory: str | None = None


def perform(job: Job) -> bytes:
    """Simulate, and give back the digest. Runs in a process of its own; needs nothing but the code and the trace."""
    from attacca.load.records.reading import read_run
    from attacca.load.report.measure import digest_of, write

    here = mark_of(job.scenario)
    if here != job.mark:
        what = "another attacca, another trace or another policy of yours lies here"
        raise Conflict(what, "install the same attacca and policies, and put the same trace")
    with tempfile.TemporaryDirectory(prefix="attacca-sim-") as place:
        directory = Path(job.directory or place)
        find(job.simulate)(job.scenario, directory)
        digest = digest_of(read_run(directory))
        if job.directory:
            write(digest, directory)
    return msgspec.json.encode(digest)


def find(name: str) -> Simulate:
    module, _, function = name.partition(":")
    found: Simulate = getattr(importlib.import_module(module), function)
    return found


def mark_of(scenario: Scenario) -> str:
    import attacca

    return fingerprint(scenario, Path(attacca.__file__).parent)
