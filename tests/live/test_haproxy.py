"""A real HAProxy before several gateways, with the configuration of deploy/, told by control which there are."""

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.apart import Cluster
from tests.live.whole import until

CONFIG = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"
ECHO = "def echo(event, context):\n    return {'ok': True}"


class Front:
    """HAProxy, and who asks it."""

    def __init__(self, at: Path) -> None:
        program = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
        if program is None:
            pytest.fail("no haproxy: scripts/debian.sh haproxy")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.socket = at / "haproxy.sock"
        text = CONFIG.read_text().replace("/run/haproxy/attacca.sock", str(self.socket))
        (at / "haproxy.cfg").write_text(text.replace("bind :80", f"bind 127.0.0.1:{self.port}"))
        self.process = subprocess.Popen([program, "-db", "-f", str(at / "haproxy.cfg")], stderr=subprocess.DEVNULL)
        until(self.socket.exists, "it listens")

    def servers(self) -> dict[tuple[str, str], str]:
        """What each slot that is up is, and how it is."""
        with socket.socket(socket.AF_UNIX) as joined:
            joined.connect(str(self.socket))
            joined.sendall(b"show stat attacca 4 -1\n")
            said = b""
            while piece := joined.recv(65536):
                said += piece
        lines = [line.split(",") for line in said.decode().splitlines() if line.startswith("attacca,")]
        return {(row[1], row[73]): row[17] for row in lines if row[17].startswith("UP")}

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    made = Front(tmp_path)
    yield made
    made.end()


@pytest.fixture
def planes(tmp_path: Path, front: Front) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "cluster", "--set", f"cluster.haproxy={front.socket}")
    try:
        made.worker("w1")
        for name in ("g1", "g2"):
            made.gateway(name)
        made.until_joined()
        made.control.function("echo", ECHO)
        yield made
    finally:
        made.stop()


def asked(port: int) -> int:
    """A status, of a connection of its own."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as joined:
        joined.sendall(b"GET /function/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        said = b""
        while piece := joined.recv(65536):
            said += piece
    return int(said.split(b" ", 2)[1]) if said else 0


def test_gateways_that_die_and_come_are_followed_and_no_request_fails(front: Front, planes: Cluster) -> None:
    until(lambda: len(front.servers()) == 2, "both are known")
    assert asked(front.port) == 200
    ending, statuses = threading.Event(), []

    def ask() -> None:
        while not ending.is_set():
            statuses.append(asked(front.port))

    callers = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
    for caller in callers:
        caller.start()
    planes.gateways.pop("g1").kill()
    until(lambda: len(front.servers()) == 1, "one is gone")
    planes.gateway("g3")
    until(lambda: len(front.servers()) == 2, "another is there")
    planes.gateways.pop("g2").stop()
    until(lambda: len(front.servers()) == 1, "one has been stopped in order")
    time.sleep(0.2)
    ending.set()
    for caller in callers:
        caller.join(30)
    assert len(statuses) > 50
    assert [status for status in statuses if status != 200] == []
