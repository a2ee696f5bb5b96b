"""Servers under measurement: attacca as its users start it, and the floors, each in a process of its own."""

import contextlib
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from attacca.client.http import Client
from attacca.client.source import deploy, find
from attacca.io.archive import pack
from attacca.worker.host.cgroups import open_groups

HERE = Path(__file__).parent
FUNCTIONS = HERE / "functions"
START_S = 30.0


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_until_open(port: int, process: subprocess.Popen[bytes], path: str | None) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with status {process.returncode}")
        with contextlib.suppress(OSError):
            if path is None:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        time.sleep(0.02)
    raise RuntimeError(f"nothing answers on port {port}")


@contextlib.contextmanager
def floor(kind: str, *arguments: str) -> Iterator[int]:
    """A floor's port, while it runs."""
    port = free_port()
    command = [sys.executable, str(HERE / "floors.py"), kind, str(port), *arguments]
    with _listening(command, port):
        yield port


@contextlib.contextmanager
def _listening(
    command: list[str], port: int, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a session of its own, as a service is, that listens there; killed with the processes it forked."""
    process = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        wait_until_open(port, process, None)
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def seated_relay() -> Iterator[int]:
    """The relay, whose waiting processes live in a cgroup of their own, as sandboxes do, where such can be made."""
    port, groups = free_port(), open_groups()
    command = [sys.executable, str(HERE / "floors.py"), "relay", str(port), "2"]
    try:
        with _listening(command, port) as process:
            if groups is not None:
                group = groups.make()
                for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                    group.add(int(pid))
            yield port
    finally:
        if groups is not None:
            groups.close()


def floor_of(*arguments: str) -> dict[str, float]:
    """What a floor that ends by itself prints."""
    command = [sys.executable, str(HERE / "floors.py"), *arguments]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


class Peer(NamedTuple):
    """A server of an application as its users start it, which imports from `bundle` what the application needs."""

    code: Path
    application: str
    bundle: Path

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": os.pathsep.join((str(self.code), str(self.bundle)))}

    def uvicorn(self, port: int) -> list[str]:
        return [sys.executable, "-m", "uvicorn", self.application, "--port", str(port), "--no-access-log"]

    def gunicorn(self, port: int, workers: int) -> list[str]:
        command = [sys.executable, "-m", "gunicorn", self.application, "--bind", f"127.0.0.1:{port}"]
        return [
            *command,
            "--workers",
            str(workers),
            "--worker-class",
            "uvicorn_worker.UvicornWorker",
            "--no-control-socket",
        ]


@contextlib.contextmanager
def uvicorn(peer: Peer) -> Iterator[int]:
    """The port of one uvicorn process."""
    port = free_port()
    with _listening(peer.uvicorn(port), port, peer.environment()):
        yield port


@contextlib.contextmanager
def gunicorn(peer: Peer, workers: int) -> Iterator[int]:
    """The port of gunicorn, with so many workers that run uvicorn."""
    port = free_port()
    with _listening(peer.gunicorn(port, workers), port, peer.environment()) as process:
        deadline = time.monotonic() + START_S
        while not _has_answered(port):  # its first process listens before the others have imported anything
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("gunicorn does not answer")
            time.sleep(0.02)
        yield port


def _has_answered(port: int) -> bool:
    """Whatever it is: the root has no page."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    return False


@contextlib.contextmanager
def endless_loops(count: int) -> Iterator[None]:
    """So many processes that never rest, in a session of their own, as a build in another terminal would be."""
    loop = f"import os\nfor _ in range({count - 1}):\n    if os.fork() == 0:\n        break\nwhile True:\n    pass"
    process = subprocess.Popen([sys.executable, "-c", loop], start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Attacca:
    """A running server with a state directory of its own."""

    def __init__(self, port: int, state: Path, process: subprocess.Popen[bytes]) -> None:
        self.port, self.state, self.process = port, state, process
        self._environment = {**os.environ, "ATTACCA_URL": f"http://127.0.0.1:{port}"}

    def deploy(self, path: Path, *options: str) -> None:
        command = [sys.executable, "-m", "attacca.cli.app", "deploy", str(path), *options]
        subprocess.run(command, env=self._environment, check=True, capture_output=True)

    def deploy_many(self, path: Path, names: Iterable[str]) -> None:
        """The same code under each of these names."""
        code = pack(path)
        with Client(f"http://127.0.0.1:{self.port}") as client:
            for name in names:
                for _ in deploy(client, find(path, {"name": name}), io.BytesIO(code), allow_source_builds=False):
                    pass

    def api(self, method: str, path: str, body: object = None) -> object:
        """Wherever it is answered: control may be in a process of its own."""
        place, said = f"127.0.0.1:{self.port}", json.dumps(body)
        while True:
            connection = http.client.HTTPConnection(place, timeout=120)
            connection.request(method, path, said, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            connection.close()
            if answer.status != 307:
                break
            place = urlsplit(answer.headers["location"]).netloc
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text) if text else None

    def idle(self, function: str) -> int:
        """Idle sandboxes of the function now."""
        views = self.api("GET", "/api/workers")
        assert isinstance(views, list)
        return sum(one["idle"] for view in views for one in view["functions"] if one["function"] == function)

    def evict(self, function: str) -> None:
        """Let its idle sandboxes go, and come back when they have."""
        self.api("POST", f"/api/functions/{function}/evict", {"templates": False})
        while self.idle(function):
            time.sleep(0.001)


@contextlib.contextmanager
def attacca(*options: str) -> Iterator[Attacca]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="attacca-bench-") as state:
        command = [sys.executable, "-m", "attacca.cli.app", "up", "--port", str(port), "--state-dir", state]
        command += ["--memory-limits", "watch", *options]
        process = subprocess.Popen(  # in a session of its own, as a service is, and as the floors are
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            wait_until_open(port, process, "/healthz")
            yield Attacca(port, Path(state), process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
