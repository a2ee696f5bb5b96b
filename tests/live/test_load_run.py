"""`attacca load` against a real server: a run, its records, its interruptions, the ladder and the bench."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from attacca.lab.answers import MADE
from attacca.load.records.reading import read_run
from tests.live.whole import Whole, until

ATTACCA = [sys.executable, "-m", "attacca.cli.app"]
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("ATTACCA_")}
SCENARIO = """
name = "small"
seed = 3
[workload]
duration_s = {duration_s}
warmup_s = 0.5
drain_s = 5.0
[record]
sample_s = 0.25
[[functions]]
name = "quick"
memory_mb = 64
duration = {{ mean_ms = 1.0 }}
shape = {{ kind = "poisson", rate = 60 }}
[[functions]]
name = "asleep"
memory_mb = 64
duration = {{ mean_ms = 20.0 }}
shape = {{ kind = "constant", rate = 5 }}
body = {{ kind = "sleep" }}
"""
CLOSED = """
name = "closed"
[workload]
duration_s = 1.5
clients = { count = 3, think = { mean_ms = 5.0 } }
[[functions]]
name = "turns"
memory_mb = 64
duration = { mean_ms = 1.0 }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    whole = Whole(tmp_path_factory.mktemp("state"))
    yield whole
    whole.stop()


def url(server: Whole) -> str:
    return f"http://127.0.0.1:{server.port}"


def attacca(server: Whole, *words: str, code: int = 0) -> Any:
    done = subprocess.run(
        [*ATTACCA, *words, "--target", url(server), "--json"],
        env=ENVIRON, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout if code == 0 else done.stderr)


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    return str(path)


def functions(server: Whole) -> list[str]:
    return [row["function"] for row in server.get("/api/functions")]


def test_a_run_records_every_invocation_and_leaves_nothing_behind(server: Whole, tmp_path: Path) -> None:
    path = write(tmp_path, SCENARIO.format(duration_s=2.5))
    told = attacca(server, "load", "run", path, "--out", str(tmp_path / "run"), "--processes", "2")
    run = read_run(tmp_path / "run")
    frame = run.records.sort("idx").collect()
    assert (run.info.kind, run.info.seed) == ("live", 3)
    assert frame["idx"].to_list() == list(range(frame.height))
    assert frame["status"].unique().to_list() == [200]
    assert told["invocations"] == frame.filter(pl.col("phase") == "run").height
    assert frame.filter(pl.col("func") == "asleep").height == 13
    assert set(frame["start"].unique()) <= {"cold", "template", "prewarmed", "warm"}
    lateness = (frame["sent"] - frame["due"] - frame["late"]).abs().max()
    assert isinstance(lateness, float)
    assert lateness < 1e-9
    times = ("due", "sent", "enq", "deq", "exec_begin", "exec_end", "recv")
    for before, after in pairwise(times):
        assert frame.filter(pl.col(before) > pl.col(after) + 1e-4).height == 0, (before, after)
    assert frame.select(*times, "sandbox", "queue_len", "cpu").null_count().sum_horizontal().item() == 0
    assert frame["sandbox"].n_unique() == frame.filter(pl.col("start") != "warm").height
    live = run.info.live
    assert (live["is_own"], live["processes"], live["differs"]) == (False, 2, [])
    slept = frame.filter(pl.col("func") == "asleep")
    assert slept.filter((pl.col("exec_end") - pl.col("exec_begin")) < 0.0195).height == 0
    samples = run.samples.collect()
    assert samples.height >= 5
    assert samples["sandboxes"].max() >= 2  # type: ignore[operator]
    assert not {"quick", "asleep"} & set(functions(server))


def test_clients_wait_for_their_answers(server: Whole, tmp_path: Path) -> None:
    attacca(server, "load", "run", write(tmp_path, CLOSED), "--out", str(tmp_path / "run"), "--processes", "2")
    frame = read_run(tmp_path / "run").records.sort("idx").collect()
    assert frame.height > 50
    for number in range(3):
        mine = frame.filter(pl.col("idx") % 3 == number).sort("due")
        assert mine.height > 10
        assert (mine["due"].to_numpy()[1:] >= mine["recv"].to_numpy()[:-1]).all()


def test_ctrl_c_keeps_what_was_recorded_and_cleans_up(server: Whole, tmp_path: Path) -> None:
    path = write(tmp_path, SCENARIO.format(duration_s=60))
    command = [*ATTACCA, "load", "run", path, "--target", url(server), "--out", str(tmp_path / "run"), "--json"]
    with subprocess.Popen(command, env=ENVIRON, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        until(lambda: len(server.get("/api/calls?function=quick&limit=60")) == 60, "60 calls")
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    told = json.loads(said)
    frame = read_run(tmp_path / "run").records.collect()
    assert 30 < frame.height < 2000
    assert told["stopped_s"] < 60
    assert sorted(frame["idx"]) == list(range(frame.height))
    assert {(row["status"], row["err"]) for row in frame.to_dicts()} <= {(200, ""), (0, "not_sent")}
    assert not {"quick", "asleep"} & set(functions(server))


def test_a_function_of_somebody_else_is_not_replaced(server: Whole, tmp_path: Path) -> None:
    server.function("quick", "def quick():\n    return 1\n")
    try:
        path = write(tmp_path, SCENARIO.format(duration_s=1.5))
        told = attacca(server, "load", "run", path, "--out", str(tmp_path / "run"), code=1)
        assert told["error"]["code"] == "conflict"
        assert functions(server).count("quick") == 1
    finally:
        server.delete("quick")


def test_failures_stop_a_run_that_would_measure_nothing_else(server: Whole, tmp_path: Path) -> None:
    server.function("broken", "def broken(**_):\n    raise ValueError('no')\n")
    text = 'name = "broken"\nworkload = { duration_s = 20 }\n[[functions]]\nname = "broken"\nshape = { rate = 100 }\n'
    done = subprocess.run(
        [*ATTACCA, "load", "run", write(tmp_path, text), "--no-deploy", "--target", url(server), "--out",
         str(tmp_path / "run"), "--json"],
        env=ENVIRON, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert "failed" in told["warning"]
    assert "stopped_s" in told  # before all was sent
    frame = read_run(tmp_path / "run").records.collect()
    assert set(frame["err"]) - {"not_sent"} == {"function_error"}
    server.delete("broken")


def test_the_ladder_and_the_bench_know_a_function(server: Whole, tmp_path: Path) -> None:
    server.function("hello", "def hello(**_):\n    return 1\n")
    out = str(tmp_path / "ladder")
    rungs = attacca(server, "load", "scale", "hello", "--clients", "3", "--seconds", "0.5", "--out", out)
    assert [rung["clients"] for rung in rungs] == [1, 2, 3]
    assert all(rung["per_s"] > 0 and rung["failed"] == 0 for rung in rungs)
    runs = [read_run(path) for path in sorted((tmp_path / "ladder").iterdir())]
    assert [run.info.scenario["workload"]["clients"]["count"] for run in runs] == [1, 2, 3]  # type: ignore[index]
    assert all(run.records.collect().height > 5 for run in runs)
    found = attacca(server, "load", "bench", "hello", "--cold", "2", "--warm", "3", "--out", str(tmp_path / "b.json"))
    assert json.loads((tmp_path / "b.json").read_text()) == found
    starts = found["functions"]["hello"]["starts"]
    assert {"cold", "warm"} <= set(starts)
    assert len(starts["cold"]["sandbox"]) >= 2
    assert all(value > 0 for value in starts["cold"]["sandbox"])
    assert set(starts["warm"]) == {*MADE, "run", "overhead", "total"}
    server.delete("hello")


def test_without_a_target_the_server_is_as_the_scenario_says(tmp_path: Path) -> None:
    system = "[system]\nmemory_mb = 700\ncores = 3\nkeepalive = { policy = 'lru' }\n"
    faults = "[[faults]]\nkind = 'partition'\nat_s = 1\n"
    path = write(tmp_path, SCENARIO.format(duration_s=1.5) + system + faults)
    done = subprocess.run(
        [*ATTACCA, "load", "run", path, "--out", str(tmp_path / "run"), "--json"],
        env=ENVIRON, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "partition at 1 s" in done.stderr
    run = read_run(tmp_path / "run")
    assert run.records.collect().height > 50
    live: Any = run.info.live
    there = live["server"]["system"]
    assert (live["is_own"], there["memory_mb"], there["cores"], there["keepalive"]["policy"]) == (True, 700, 3, "lru")
    assert not Path(live["server"]["state_dir"]).exists()
    assert not Path(f"/proc/{live['server']['process']}").exists()


def test_a_server_of_the_runs_own_ends_with_a_run_that_is_killed(tmp_path: Path) -> None:
    path = write(tmp_path, SCENARIO.format(duration_s=60))
    command = [*ATTACCA, "load", "run", path, "--out", str(tmp_path / "run"), "--json"]
    place = tmp_path / "tmp"
    place.mkdir()
    environ = ENVIRON | {"TMPDIR": str(place)}
    with subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        until(lambda: list(place.glob("attacca-*/code/*")), "code in the server's state")
        (state,) = place.iterdir()
        server = int((state / "lock").read_text())
        process.kill()
    until(lambda: not Path(f"/proc/{server}").exists(), "the server's end")
    assert not list(place.iterdir())


def test_a_server_that_is_not_what_the_scenario_says_is_refused(server: Whole, tmp_path: Path) -> None:
    path = write(
        tmp_path, SCENARIO.format(duration_s=1.0) + "[system]\nmemory_mb = 700\nqueueing = { policy = 'mqfq' }\n"
    )
    told = attacca(server, "load", "run", path, "--out", str(tmp_path / "run"), code=1)
    assert told["error"]["code"] == "conflict"
    assert "memory_mb is" in told["error"]["message"]
    assert "queueing is fcfs, not mqfq" in told["error"]["message"]
    attacca(server, "load", "run", path, "--out", str(tmp_path / "run"), "--as-it-is")
    assert len(read_run(tmp_path / "run").info.live["differs"]) == 2  # type: ignore[arg-type]


def test_nobody_listens(tmp_path: Path) -> None:
    done = subprocess.run(
        [*ATTACCA, "load", "run", write(tmp_path, CLOSED), "--target", "http://127.0.0.1:9", "--json"],
        env=ENVIRON, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert json.loads(done.stderr)["error"]["code"] == "unreachable"
