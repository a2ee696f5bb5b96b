"""What an innocent function's client feels while another function floods the worker."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator

from bench.client import latency
from bench.result import Result, Round
from bench.server import HERE, attacca

FLOODS = {
    "logs": "tiny log frames",
    "lines": "log lines",
    "output": "output past the capture",
    "bodies": "bodies of one byte",
    "fields": "answers with 20,000 fields",
    "field": "answers with a field of 900 KB",
}
FLOODERS = 4


class Flood:
    """As many clients as sandboxes; each asks for a flood, and again when it has ended."""

    def __init__(self, port: int, kind: str) -> None:
        body = json.dumps({"flood": kind}).encode()
        head = "POST /function/flood HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close"
        self._request = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        self._port, self._is_over = port, False
        self._threads = [threading.Thread(target=self._ask) for _ in range(FLOODERS)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()
        time.sleep(0.3)  # until they run

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._is_over:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port)) as sock:
                sock.settimeout(0.2)
                sock.sendall(self._request)
                while not self._is_over:
                    with contextlib.suppress(TimeoutError):
                        if not sock.recv(1 << 20):
                            break


def floods(rounds: int, calls: int) -> Iterator[Result]:
    """One connection, one warm sandbox: its p99 beside a flood, to its p99 without."""
    with attacca() as server:
        server.deploy(HERE / "functions" / "echo", "--name", "echo", "--max", "1")
        server.deploy(HERE / "functions" / "flood", "--name", "flood", "--max", str(FLOODERS), "--memory", "64")
        for kind, what in FLOODS.items():
            found = []
            for _ in range(rounds):
                quiet = latency(server.port, "/function/echo", calls)[1]
                with Flood(server.port, kind):
                    found.append(Round(latency(server.port, "/function/echo", calls)[1], quiet))
            yield Result(f"warm invocation beside {FLOODERS} floods of {what}, p99", "us", "quiet p99", 5.0, found)
