"""Servers under measurement: attacca as its users start it, and the floors, each in a process of its own."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
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
    process = subprocess.Popen(command, start_new_session=True)
    try:
        wait_until_open(port, process, None)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with the processes it forked
        process.wait()


def floor_of(*arguments: str) -> dict[str, float]:
    """What a floor that ends by itself prints."""
    command = [sys.executable, str(HERE / "floors.py"), *arguments]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


@contextlib.contextmanager
def uvicorn(code: Path, application: str, bundle: Path) -> Iterator[int]:
    """The port of one uvicorn process as its users start it, which imports from `bundle` what the application needs."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port), "--no-access-log"]
    environment = {**os.environ, "PYTHONPATH": str(bundle)}
    process = subprocess.Popen([*command, "--app-dir", str(code)], env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until_open(port, process, None)
        yield port
    finally:
        process.terminate()
        process.wait()


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

    def api(self, method: str, path: str, body: object = None) -> object:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
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
