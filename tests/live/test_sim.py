"""`attacca sim` as a program: the same events in every process, whatever the order of Python's sets."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCENARIO = """
name = "small"
seed = 7
[workload]
duration_s = 20
[[functions]]
name = "one"
duration = { kind = "exponential", mean_ms = 80 }
shape = { rate = 5 }
[[functions]]
name = "other"
idempotent = true
duration = { kind = "lognormal", mean_ms = 200, sigma = 1.0 }
shape = { kind = "gamma", rate = 3, cv = 3 }
[system]
workers = 3
memory_mb = 512
keepalive = { policy = "greedy_dual" }
balancing = { policy = "ch_rlu" }
[hardware]
cpu = "contended"
network = { kind = "exponential", mean_ms = 1 }
[[faults]]
kind = "worker_crash"
rate = 200
for_s = 2
[[faults]]
kind = "partition"
rate = 200
for_s = 4
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SCENARIO)
    return path


def attacca(*words: str | Path, hash_seed: str = "0", expected: int = 0) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "NO_COLOR": "1"}
    command = [sys.executable, "-m", "attacca.cli.app", "sim", *map(str, words)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == expected, ran.stderr
    return ran.stdout + (ran.stderr if expected or words[0] == "diff" else "")


def run(*words: str | Path, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(attacca("run", *words, "--json", **more))
    return found


def test_every_process_and_hash_seed_gives_the_same_hash(scenario: Path) -> None:
    outcomes = [run(scenario, hash_seed=hash_seed) for hash_seed in ("0", "1", "4711")]
    assert len({outcome["hash"] for outcome in outcomes}) == 1
    assert {"invocations", "wall_s", "events", "hash", "cold_share", "mean_ms", "p50_ms", "p99_ms"} <= set(outcomes[0])
    assert outcomes[0]["faults"] > 0
    assert run(scenario, "--seed", "8")["hash"] != outcomes[0]["hash"]


def test_where_two_runs_part_can_be_looked_at(scenario: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    attacca("run", scenario, "--out", one, "--events")
    attacca("run", scenario, "--out", other, "--events", "--set", "system.keepalive=ttl:idle_s=1")
    assert "equal" in attacca("diff", one, one)
    found = json.loads(attacca("diff", one, other, "--json").splitlines()[0])
    assert not found["equal"]
    stopped = attacca("run", scenario, "--replay-to", str(found["event"]), "--story", "3")
    assert found["left"] in stopped
    assert "is given to the worker" in stopped


def test_what_cannot_be_simulated_is_said(scenario: Path) -> None:
    assert "Try:" in attacca("run", scenario, "--set", "system.keepalive=nonsense", expected=2)
    assert "Try:" in attacca("run", scenario, "--events", expected=2)
    assert "Try:" in attacca("run", scenario.parent / "missing.toml", expected=2)


def test_a_swarm_holds() -> None:
    found = json.loads(attacca("swarm", "--seeds", "3", "--json"))
    assert (found["seeds"], found["broken"]) == (3, 0)
