"""One scenario, live on a server of its own and simulated."""

import json
import subprocess
import sys
from pathlib import Path

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
    again = attacca("validate", str(tmp_path / "small.toml"), "--live", f"{out}/live", "--out", out)
    assert again.returncode == 0, again.stderr
    assert "KS distance" in again.stdout
    shown = attacca("report", f"{out}/live", "--json")
    assert json.loads(shown.stdout)["configurations"][0]["kind"] == "live"
