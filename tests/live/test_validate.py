"""One scenario, live on a server of its own and simulated."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec

from tests.live.whole import ENVIRON

SCENARIO = """
name = "small"
[workload]
duration_s = 4
warmup_s = 1
[[functions]]
name = "often"
memory_mb = 64
duration = { mean_ms = 20 }
shape = { rate = 25 }
body = { kind = "sleep" }
[system]
memory_mb = 1024
cores = 2
keepalive = { policy = "ttl", options = { idle_s = 5 } }
"""


def attacca(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "attacca.cli.app", *words]
    return subprocess.run(command, env=ENVIRON, capture_output=True, text=True, timeout=120, check=False)


def test_a_scenario_is_validated_and_shown(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SCENARIO)
    out, page = str(tmp_path / "check"), tmp_path / "check.html"
    told = attacca("validate", str(tmp_path / "small.toml"), "--out", out, "--report", str(page), "--json")
    assert told.returncode == 0, told.stderr
    rows = {row["metric"]: row for row in json.loads(told.stdout)["metrics"]}
    assert {"mean_ms", "p50_ms", "p99_ms", "cold_share", "sandboxes"} <= set(rows)
    assert rows["p50_ms"]["live"] > 20.0
    assert rows["p50_ms"]["simulated"] > 20.0
    assert "Live against simulated" in page.read_text()
    machine = json.loads(told.stdout)["machine"]
    assert machine["can_judge"] is not bool(machine["reasons"])
    again = attacca("validate", str(tmp_path / "small.toml"), "--live", f"{out}/live", "--out", out)
    assert again.returncode == 0, again.stderr
    assert "KS distance" in again.stdout
    shown = attacca("report", f"{out}/live", "--json")
    assert json.loads(shown.stdout)["configurations"][0]["kind"] == "live"


CALIBRATED = """
name = "toy"
[workload]
duration_s = 3
[[functions]]
name = "often"
memory_mb = 64
duration = { mean_ms = 10 }
shape = { rate = 20 }
body = { busy = 0.5 }
[[functions]]
name = "seldom"
memory_mb = 64
duration = { mean_ms = 10 }
shape = { rate = 4 }
[system]
memory_mb = 1024
cores = 2
keepalive = { policy = "ttl", options = { idle_s = 0.04 } }
"""


def test_a_simulation_is_calibrated_from_one_run_and_held_against_others(tmp_path: Path) -> None:
    scenario, hardware = tmp_path / "toy.toml", tmp_path / "hardware.toml"
    scenario.write_text(CALIBRATED)
    ran = attacca("load", "run", str(scenario), "--seed", "2", "--out", str(tmp_path / "calibration"), "--json")
    assert ran.returncode == 0, ran.stderr
    found = attacca("sim", "calibrate", str(tmp_path / "calibration"))
    assert found.returncode == 0, found.stderr
    hardware.write_text(found.stdout)
    measured = msgspec.toml.decode(found.stdout)["hardware"]
    assert measured["cpu"] == "contended"
    assert 0.0 <= measured.get("background", 0.0) < 2.0  # on a quiet machine nothing is left to be seen
    assert 0 < measured.get("template_mb", 1) < 64
    assert min(measured["overhead"]["values_ms"]) > 0.0
    assert min(measured["template"]["values_ms"]) > 0.0
    out = tmp_path / "validation"
    told = attacca(
        "validate", str(scenario), "--runs", "2", "--hardware", str(hardware), "--out", str(out), "--json"
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    rows = {row["metric"]: row for row in json.loads(told.stdout)["metrics"]}
    assert all(len(row["each"]) == 2 for row in rows.values())
    assert rows["mean_ms"]["live_apart"] >= 0.0
    assert {name for name, row in rows.items() if row["bar"] is not None} == {
        "mean_ms",
        "p50_ms",
        "p99_ms",
        "cold_share",
    }
    assert rows["cold_share"]["simulated"] > 0.0
    again = attacca("validate", str(scenario), "--live", f"{out}/live-1", "--live", f"{out}/live-2", "--out", str(out))
    assert again.returncode == 0, again.stderr
    assert again.stdout.index("live against live") < again.stdout.index("live apart")
    assert "made up" in again.stderr
