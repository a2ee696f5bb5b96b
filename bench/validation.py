"""How far a simulation is from live runs of the same scenario, and how far those are from one another."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.result import Result, Round

ROOT = Path(__file__).parents[1]
SCENARIO = ROOT / "examples/lab/validate-azure.toml"
TRACE = ROOT / "../shared/data/azure-2019-500"
LABELS = {"mean_ms": "mean", "p50_ms": "median", "p99_ms": "p99", "cold_share": "cold share"}
OTHER_SEED = "2"  # what the machine is calibrated from are other invocations than those that count


def validation(rounds: int, seconds: int) -> Iterator[Result]:
    """Live runs of a part of azure-2019-500, and its simulation on hardware that a run of another part has shown."""
    if not TRACE.exists():
        sys.stderr.write("skipped: the trace is not at ../shared/data/azure-2019-500\n")
        return
    with tempfile.TemporaryDirectory() as place:
        told = _validate(Path(place), rounds, seconds)
    for metric in told["metrics"]:
        if metric["metric"] in LABELS:
            yield from _results(metric)


def _validate(place: Path, rounds: int, seconds: int) -> dict[str, Any]:
    scenario, calibration, hardware = place / "scenario.toml", place / "calibration", place / "hardware.toml"
    scenario.write_text(SCENARIO.read_text().replace("[workload]\n", f"[workload]\nduration_s = {seconds}\n", 1))
    _attacca("load", "run", scenario, "--seed", OTHER_SEED, "--out", calibration, "--json")
    hardware.write_bytes(_attacca("sim", "calibrate", calibration))
    out = place / "validation"
    said = _attacca("validate", scenario, "--runs", rounds, "--hardware", hardware, "--out", out, "--json")
    found: dict[str, Any] = json.loads(said)
    return found


def _attacca(*words: object) -> bytes:
    command = [sys.executable, "-m", "attacca.cli.app", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout


def _results(metric: dict[str, Any]) -> Iterator[Result]:
    """`apart` is the floor: where it is beyond the bar, the machine was not quiet enough to say anything."""
    label, unit, simulated = LABELS[metric["metric"]], metric["unit"], metric["simulated"]
    apart = [Round(100 * abs(simulated - live) / (live if unit == "%" else 1.0), 1.0) for live in metric["each"]]
    yield Result(f"live against simulated, {label}", unit, "", metric["bar"], apart)
    if metric["live_apart"] is not None:
        among = [Round(metric["live_apart"], 1.0)]
        yield Result(f"live against live, {label}", unit, "", metric["bar"], among)
