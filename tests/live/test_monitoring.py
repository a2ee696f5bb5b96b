"""What a server shows of its machine and of what its sandboxes use."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.live.whole import ENVIRON, Whole, until

BUSY = """
import hashlib

def busy(rounds: int):
    held = bytearray(b"x" * (20 << 20))
    hashlib.pbkdf2_hmac("sha256", b"a", b"b", rounds)
    return len(held)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    whole = Whole(tmp_path_factory.mktemp("state"))
    yield whole
    whole.stop()


def test_the_machine_and_its_sandboxes_are_seen(server: Whole) -> None:
    assert "done" in server.deploy("busy", BUSY, memory_mb=128)
    assert server.call("busy", {"rounds": 400_000}).value == 20 << 20

    def used() -> list[dict[str, float]]:
        return [one["use"] for one in server.get("/api/workers")[0]["sandboxes"] if one["use"] is not None]

    until(lambda: any(use["cpu_s"] > 0.05 for use in used()), "what the sandbox used is known")
    assert all(use["memory_mb"] > 1 and use["processes"] >= 1 for use in used())
    (worker,) = server.get("/api/workers")
    assert worker["load"]["memory_mb"] > worker["load"]["memory_free_mb"] > 0
    loads = server.get(f"/api/workers/{worker['name']}/loads")
    assert loads
    assert [look["ago_s"] for look in loads] == sorted((look["ago_s"] for look in loads), reverse=True)
    assert server.ask("GET", "/api/workers/nobody/loads").status == 404


def test_the_command_shows_it(server: Whole) -> None:
    command = [sys.executable, "-m", "attacca.cli.app", "worker", "stats", "--url", server.info["url"]]
    told = subprocess.run(command, capture_output=True, text=True, env=ENVIRON, timeout=30, check=True)
    assert "processors" in told.stdout
    told = subprocess.run([*command, "--json"], capture_output=True, text=True, env=ENVIRON, timeout=30, check=True)
    (loads,) = json.loads(told.stdout).values()
    assert loads[-1]["load"]["memory_mb"] > 0
