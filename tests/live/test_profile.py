"""A flame graph of a server that runs, from outside."""

import json
import subprocess
import sys
import threading
from pathlib import Path

from tests.live.whole import ENVIRON, Whole


def profile(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "attacca.cli.app", "profile", *words, "--seconds", "1", "--json"]
    return subprocess.run(command, env=ENVIRON, cwd=cwd, capture_output=True, text=True, timeout=90, check=False)


def test_a_plane_that_works_is_drawn_and_one_that_is_not_there_is_said_to_be_none(tmp_path: Path) -> None:
    server = Whole(tmp_path / "state")
    try:
        server.deploy("echo", "def echo(event):\n    return event\n")
        is_over = threading.Event()

        def ask() -> None:
            while not is_over.is_set():
                server.call("echo", 1)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            ran = profile("worker", "--state-dir", str(tmp_path / "state"), cwd=tmp_path)
        finally:
            is_over.set()
            asking.join()
        assert ran.returncode == 0, ran.stderr
        told = json.loads(ran.stdout)
        assert (told["pid"], told["file"]) == (server.pid, "profile-worker.svg")
        drawn = (tmp_path / "profile-worker.svg").read_text()
        assert drawn.startswith("<?xml")
        assert "attacca" in drawn
        assert f">worker, process {server.pid}: 1 s, 100 looks a second<" in drawn
        assert str(tmp_path) not in drawn
        assert server.call("echo", 2).value == 2
    finally:
        server.stop()
    gone = profile("worker", "--pid", str(server.pid), cwd=tmp_path)
    assert gone.returncode == 1
    assert json.loads(gone.stderr.splitlines()[-1])["error"]["code"] == "not_found"
