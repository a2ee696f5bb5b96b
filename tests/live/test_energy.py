"""Energy in a server, against a counter that follows this machine's processors, and programs that only say so."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars
import pytest

from tests.live.stand_ins import CORE_W, IDLE_W, counter, programs
from tests.live.whole import ENVIRON, Whole, until

BURNS_S, MEMORY_MB, SERVER_MB = 0.6, 128, 2048  # see `command` of whole
SCENARIO = """
name = "burning"
[workload]
duration_s = 1.0
[[functions]]
name = "short"
memory_mb = 64
duration = { mean_ms = 20.0 }
shape = { kind = "constant", rate = 10 }
"""
BURN = """
import time

def burn(seconds: float):
    began = time.process_time()
    while time.process_time() - began < seconds:
        pass
    return time.process_time()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    place = tmp_path_factory.mktemp("energy")
    with counter(place / "powercap") as root:
        settings = [
            "energy.source=powercap",
            f"energy.powercap={root}",
            "energy.every_s=0.2",
            f"energy.idle_w={IDLE_W}",
        ]
        words = [word for one in (*settings, f"energy.log_dir={place / 'log'}") for word in ("--set", one)]
        whole = Whole(place / "state", *words)
        yield whole
        whole.stop()


def monitor(out: Path, *words: str, path: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environ = ENVIRON if path is None else {**ENVIRON, "PATH": f"{path}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "attacca.cli.app", "energy", "monitor", "--out", str(out), *words]
    return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60, check=False)


def test_an_invocation_has_what_its_processor_time_took(server: Whole) -> None:
    assert "done" in server.deploy("burn", BURN, memory_mb=MEMORY_MB)
    for _ in range(3):
        assert server.call("burn", {"seconds": BURNS_S}).status == 200

    def reckoned() -> list[dict[str, Any]]:
        return [one for one in server.get("/api/calls?function=burn") if one["energy_j"] is not None]

    until(lambda: len(reckoned()) == 3, "what the invocations took is known")
    for one in reckoned():
        idle_j = IDLE_W * MEMORY_MB / SERVER_MB * one["timing"]["run"] / 1e3
        off_j = abs(one["energy_j"] - BURNS_S * CORE_W - idle_j)
        assert off_j <= one["energy_error_j"] + 0.2 * BURNS_S * CORE_W, one


def test_its_function_has_them_all_and_the_machine_more(server: Whole) -> None:
    (worker,) = server.get("/api/workers")
    energy = worker["energy"]
    (row,) = [one for one in energy["functions"] if one["function"] == "burn"]
    assert row["invocations"] == 3
    assert row["run_j"] >= 2 * BURNS_S * CORE_W
    assert energy["total_j"] == pytest.approx(energy["functions_j"] + energy["other_j"] + energy["idle_j"])
    assert worker["load"]["watts"] > 0
    page = server.ask("GET", "/metrics").body.decode()
    assert 'attacca_function_energy_joules_total{faas_name="burn",state="running"}' in page
    rows = (server.state.parent / "log" / "energy-rapl.log").read_text().splitlines()
    assert rows[0] == "timestamp,rapl_uj"
    assert len(rows) > 3


def test_the_table_of_calls_shows_it(server: Whole) -> None:
    command = [sys.executable, "-m", "attacca.cli.app", "calls", "burn", "--url", server.info["url"]]
    told = subprocess.run(command, capture_output=True, text=True, env=ENVIRON, timeout=30, check=True)
    assert "joules" in told.stdout
    assert "±" in told.stdout


def test_a_live_run_says_what_an_invocation_took(server: Whole, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO)
    command = [sys.executable, "-m", "attacca.cli.app", "load", "run", str(scenario), "--target", server.info["url"]]
    command += ["--as-it-is", "--json", "--out", str(tmp_path / "run")]
    told = subprocess.run(command, capture_output=True, text=True, env=ENVIRON, timeout=60, check=True)
    totals = json.loads(told.stdout)
    assert 0 < totals["invocation_j"] < totals["energy_j"]
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["live"]["energy"] == "powercap"
    assert run["totals"]["invocation_j"] == totals["invocation_j"]


def test_the_machine_s_stats_have_its_energy(server: Whole) -> None:
    command = [sys.executable, "-m", "attacca.cli.app", "worker", "stats", "--json", "--url", server.info["url"]]
    told = subprocess.run(command, capture_output=True, text=True, env=ENVIRON, timeout=30, check=True)
    ((*earlier, last),) = json.loads(told.stdout).values()
    assert last["energy"]["watts"] > 0
    assert last["devices"] == []
    assert not any("energy" in look for look in earlier)


def test_one_who_does_not_answer_delays_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = programs(tmp_path / "bin", ipmitool="exec sleep 600")
    monkeypatch.setitem(ENVIRON, "PATH", f"{path}:{os.environ['PATH']}")
    whole = Whole(tmp_path / "state", "--set", "energy.source=ipmi", "--set", "energy.every_s=0.1")
    try:
        assert "done" in whole.deploy("burn", BURN)
        assert whole.call("burn", {"seconds": 0.0}).status == 200
    finally:
        whole.stop()


def test_the_monitor_writes_the_original_s_files_and_a_table(tmp_path: Path) -> None:
    path, out = programs(tmp_path / "bin"), tmp_path / "out"
    with counter(tmp_path / "powercap") as root:
        words = ["--powercap", str(root), "--every", "0.1", "--seconds", "1", "--process", str(os.getpid())]
        done = monitor(out, *words, "--parquet", "--json", path=path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {one["source"] for one in told["sources"] if one["readings"]} >= {
        "powercap", "perf", "ipmi", "tegra", "nvidia"
    }  # fmt: skip
    assert {one.name for one in out.iterdir()} == {
        "energy-rapl.log", "energy-ipmi.log", "energy-perf.log", "energy-nvidia.log", "tegrastats.log", "process.log",
        "energy.parquet",
    }  # fmt: skip
    assert (out / "energy-ipmi.log").read_text().splitlines()[1].endswith(",220")
    assert (
        (out / "energy-perf.log").read_text().splitlines()[2].endswith("2.50,Joules,power/energy-pkg/,100000,100.00,,")
    )
    table = polars.read_parquet(out / "energy.parquet")
    assert table.columns == ["at", "source", "part", "joules", "watts"]
    rapl = [int(line.split(",")[1]) for line in (out / "energy-rapl.log").read_text().splitlines()[1:]]
    assert rapl == sorted(rapl)
    assert table.filter(source="powercap", part="")["joules"].to_list() == [uj / 1e6 for uj in rapl]


def test_the_monitor_says_what_it_cannot_ask(tmp_path: Path) -> None:
    done = monitor(tmp_path / "out", "--source", "powercap", "--powercap", str(tmp_path))
    assert done.returncode != 0
    assert "powercap cannot be asked: no counter of a package" in done.stderr
    done = monitor(tmp_path / "out", "--source", "sun")
    assert "no source is called 'sun'" in done.stderr
