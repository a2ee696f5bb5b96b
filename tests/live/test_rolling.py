"""Planes restarted one after the other under load: of those who call with a connection for each call, none fails."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from tests.live.test_up_apart import OPTIONS, admin, alive
from tests.live.whole import ENVIRON, Whole, deployment, running, until

CALLERS, PATIENCE_S = 8, 90.0
ANSWERED = "answered"
NAP = "import time\ndef nap(s=0.02):\n    time.sleep(s)\n    return s"
AS_SYSTEMD = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ |= {'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())}; "
    "os.execv(sys.argv[2], sys.argv[2:])"
)


class Callers:
    """So many, each with one call after the other, until the end; `seen` counts what came of them."""

    def __init__(self, port: int, function: str) -> None:
        self.seen: Counter[str] = Counter()
        self._port, self._function = port, function
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(CALLERS)]

    def _call(self) -> None:
        while not self._is_over.is_set():
            self.seen[called(self._port, self._function)] += 1

    def wait_for_more(self) -> None:
        """As many answers as there are callers, and again as many: all that was under way is over."""
        enough = self.seen.total() + 2 * CALLERS
        until(lambda: self.seen.total() >= enough, "calls go on", PATIENCE_S)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()


def called(port: int, function: str) -> str:
    """`answered`, or what came of it instead."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        headers = {"content-type": "application/json", "connection": "close"}
        connection.request("POST", f"/function/{function}", b"{}", headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        return ANSWERED if answer.status == 200 else f"{answer.status} {body}"
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    finally:
        connection.close()


def post_function(port: int, name: str, source: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("POST", "/api/functions", *deployment(name, source))
        answer = connection.getresponse()
        assert b"done" in answer.read()
        return answer.status
    finally:
        connection.close()


def all_there(whole: Whole) -> bool:
    with contextlib.suppress(OSError):
        workers = [one for one in whole.get("/api/workers") if not one["draining"]]
        return len(workers) == 2 and len(whole.get("/api/info")["gateways"]) == 2
    return False


@contextlib.contextmanager
def handed_over(state: Path, listening: socket.socket) -> Iterator[subprocess.Popen[str]]:
    """`attacca up` as systemd starts it for a socket that is its own, until it has stopped."""
    words = [sys.executable, "-m", "attacca.cli.app", "up", "--json", "--memory", "1024", "--memory-limits", "watch"]
    process = subprocess.Popen(
        [sys.executable, "-c", AS_SYSTEMD, str(listening.fileno()), *words, "--state-dir", str(state)],
        env=ENVIRON, pass_fds=[listening.fileno()], stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), "it has started"
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def test_each_plane_of_a_machine_is_restarted_and_no_call_fails(tmp_path: Path) -> None:
    with running(tmp_path / "state", *OPTIONS, "--apart") as whole:
        port, planes = whole.port, whole.info["planes"]
        admin(whole).function("nap", NAP)
        with Callers(port, "nap") as callers:
            for name in ("gateway-1", "gateway-2", "worker-1", "worker-2", "control"):
                os.kill(planes[name], signal.SIGTERM)
                until(lambda name=name: not alive(planes[name]), f"{name} has ended", PATIENCE_S)  # type: ignore[misc]
                until(lambda: all_there(whole), f"another {name} is there", PATIENCE_S)
                callers.wait_for_more()
        assert set(callers.seen) == {ANSWERED}


def test_a_server_whose_socket_is_kept_is_restarted_and_no_call_fails(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with handed_over(tmp_path / "state", listening):
            status = post_function(port, "nap", NAP)
            assert status == 200
        with handed_over(tmp_path / "state", listening) as first, Callers(port, "nap") as callers:
            first.terminate()
            first.wait(PATIENCE_S)
            with handed_over(tmp_path / "state", listening):
                callers.wait_for_more()
                callers.end()
        assert set(callers.seen) == {ANSWERED}
