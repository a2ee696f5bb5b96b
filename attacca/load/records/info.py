"""What a run says of itself, so that it can be told from others and run again."""

import hashlib
import os
import platform
from collections.abc import Mapping

import msgspec

from attacca import __version__
from attacca.load.records.columns import VERSION
from attacca.load.workload.scenario import Scenario

Totals = Mapping[str, float | str]


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """`run.json`: enough to say what was run and to run it again."""

    version: int = VERSION
    name: str
    kind: str  # live or simulated
    seed: int
    hash: str  # of the scenario and the seed; of a simulation, besides, its event hash is in `totals`
    scenario: dict[str, object]
    versions: dict[str, str]  # attacca, python, kernel, machine, its cores; digests of the code that decided
    started_at: float  # seconds since 1970
    wall_s: float
    totals: dict[str, float | str]
    live: dict[str, object] = {}  # of a live run: the server as it said it was, who sent, what was left out


def hash_of(scenario: Scenario) -> str:
    """The same for the same scenario and seed, on every machine."""
    return hashlib.blake2b(msgspec.json.encode(scenario, order="sorted"), digest_size=16).hexdigest()


def info_of(
    scenario: Scenario,
    kind: str,
    started_at: float,
    wall_s: float,
    totals: Totals,
    live: Mapping[str, object] | None = None,
    code: Mapping[str, str] | None = None,
) -> RunInfo:
    return RunInfo(
        name=scenario.name,
        kind=kind,
        seed=scenario.seed,
        hash=hash_of(scenario),
        scenario=msgspec.to_builtins(scenario),
        versions={
            "attacca": __version__,
            "python": platform.python_version(),
            "kernel": platform.release(),
            "machine": platform.machine(),
            "cores": str(os.cpu_count()),
            **(code or {}),
        },
        started_at=started_at,
        wall_s=wall_s,
        totals=dict(totals),
        live=dict(live or {}),
    )
