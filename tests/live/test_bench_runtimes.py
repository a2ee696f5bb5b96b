"""What `attacca bench runtimes` measures on a server of its own."""

import json
import subprocess
import sys

from tests.live.patience import PATIENCE_S

BENCH = [sys.executable, "-m", "attacca.cli.app", "bench", "runtimes"]


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*BENCH, *words], capture_output=True, text=True, timeout=4 * PATIENCE_S, check=False)


def test_each_is_started_called_and_weighed_and_what_is_missing_is_named() -> None:
    few = ("--cold", "2", "--warm", "3", "--sandboxes", "2", "--first", "1", "--docker", "/nowhere")
    done = bench("process", "command", "by-docker", *few, "--json")
    assert done.returncode == 0, done.stderr
    process, command, docker = json.loads(done.stdout)["runtimes"]
    for cost in (process, command):
        assert cost["missing"] == "", cost
        assert (cost["counts"]["cold"], cost["counts"]["warm"]) == (2, 3)
        assert cost["counts"]["template"] >= 2
        assert (cost["counts"]["deployed"], cost["counts"]["restarted"]) == (1, 1)
        for start in cost["starts"].values():
            assert start["total"] > 0
        assert cost["starts"]["cold"]["sandbox"] > 0 == cost["starts"]["warm"]["sandbox"]
        assert cost["memory_mb"] > 0
    assert docker["starts"] == {}
    assert docker["missing"] in ("nobody listens at /nowhere", "containers are made by root")


def test_a_runtime_of_no_such_name_is_refused() -> None:
    done = bench("x")
    assert done.returncode != 0
    assert "there is no runtime 'x'" in done.stderr
