"""The experiments on a server of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def attacca(directory: Path, *words: str) -> Any:
    command = [sys.executable, "-m", "attacca.cli.app", "lab", *words, "--live", "--memory", "1024", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run(
        [*command, "--out", str(directory)], capture_output=True, text=True, check=False, env=environment, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_cold_starts_come_one_after_the_other_whoever_decides(tmp_path: Path) -> None:
    told = attacca(tmp_path, "rps", "--from", "1", "--to", "1", "--seconds", "9", "--again", "6")
    assert [one["label"].rpartition("=")[2] for one in told["configurations"]] == ["worker", "cluster"]
    for one in told["configurations"]:
        assert one["metrics"]["error_share"]["value"] == 0.0
        assert one["metrics"]["cold_share"]["value"] == 1.0
