"""The experiments on a server of their own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from attacca.worker.runtime.process.lineage import children
from tests.live.whole import until

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def command(directory: Path, *words: str) -> list[str]:
    ours = [sys.executable, "-m", "attacca.cli.app", "lab", *words, "--live", "--memory", "1024", "--json"]
    return [*ours, "--out", str(directory)]


def attacca(directory: Path, *words: str) -> Any:
    ran = subprocess.run(
        command(directory, *words), capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_cold_starts_come_one_after_the_other_whoever_decides(tmp_path: Path) -> None:
    told = attacca(tmp_path, "rps", "--from", "1", "--to", "1", "--seconds", "9", "--again", "6")
    assert [one["label"].rpartition("=")[2] for one in told["configurations"]] == ["worker", "cluster"]
    for one in told["configurations"]:
        assert one["metrics"]["error_share"]["value"] == 0.0
        assert one["metrics"]["cold_share"]["value"] == 1.0


def sends(pid: int) -> bool:
    return any(b"attacca.load.sending.generator" in Path(f"/proc/{one}/cmdline").read_bytes() for one in children(pid))


def test_whoever_stops_one_of_several_runs_stops_them_all_and_has_what_there_is(tmp_path: Path) -> None:
    words = command(tmp_path / "runs", "azure", "--functions", "2", "--minutes", "12")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        try:
            until(lambda: sends(process.pid), "it sends")
            process.send_signal(signal.SIGINT)
            out, said = process.communicate(timeout=120)
        finally:
            process.kill()
    assert (process.returncode, len(json.loads(out)["configurations"])) == (0, 1), said
    assert "1 more would have followed" in said
