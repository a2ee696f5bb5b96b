"""Clients that measure: one keep-alive connection on a raw socket, or wrk for many."""

import os
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

BODY = b'{"name":"' + b"x" * 117 + b'"}'  # 128 bytes of JSON
WRK = """wrk.method = "POST"
wrk.body = '%s'
wrk.headers["Content-Type"] = "application/json"
"""
WARM_UP, FIRST = 200, 5  # calls that are not counted: of a connection, and of each of its turns after that
MICROSECONDS = {"us": 1.0, "ms": 1e3, "s": 1e6}


class Answer(NamedTuple):
    status: int
    start: str  # x-attacca-start, or empty
    took_s: float


class Client:
    """One connection; `post` waits for the whole answer. Reconnects when the server has closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sock = self._connect()

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def post(self, path: str, body: bytes = BODY) -> Answer:
        head = b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        request = head % (path.encode(), len(body)) + body
        began = time.perf_counter()
        self._sock.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, rest = data.partition(b"\r\n\r\n")
        low = head.lower()
        size = int(low.split(b"content-length:")[1].split(b"\r\n")[0])
        while len(rest) < size:
            rest += self._receive()
        took_s = time.perf_counter() - began
        start = (
            low.split(b"x-attacca-start:")[1].split(b"\r\n")[0].strip().decode() if b"x-attacca-start:" in low else ""
        )
        return Answer(int(head.split()[1]), start, took_s)

    def _receive(self) -> bytes:
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection in the middle of an answer")
        return data

    def close(self) -> None:
        self._sock.close()


def latency(port: int, path: str, count: int) -> tuple[float, float]:
    """p50 and p99 in microseconds over one connection in a closed loop."""
    client = Client(port)
    for _ in range(WARM_UP):
        client.post(path)
    took = []
    for _ in range(count):
        answer = client.post(path)
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
        took.append(answer.took_s * 1e6)
    client.close()
    took.sort()
    return took[count // 2], took[int(count * 0.99)]


def medians(places: Sequence[tuple[int, str]], turns: int, calls: int) -> list[float]:
    """p50 in microseconds of each over one connection in a closed loop, of so many turns of so many calls in all.

    Where others compute, who waits for whom stays as it is for many calls: all of one place's at once might meet
    nothing else than another's.
    """
    clients = [Client(port) for port, _ in places]
    took: list[list[float]] = [[] for _ in places]
    for number in range(turns):
        for client, (_, path), found in zip(clients, places, took, strict=True):
            for _ in range(FIRST if number else WARM_UP):
                client.post(path)
            answers = [client.post(path) for _ in range(calls)]
            if (bad := next((one.status for one in answers if one.status != 200), None)) is not None:
                raise RuntimeError(f"{path} answered {bad}")
            found += [one.took_s * 1e6 for one in answers]
    for client in clients:
        client.close()
    return [statistics.median(found) for found in took]


class Sustained(NamedTuple):
    """What connections got through that always had a request under way, and the longest that 99 of 100 took."""

    per_s: float
    p99_us: float


def throughput(port: int, path: str, connections: int, seconds: int) -> float:
    """Requests per second, by wrk with one thread."""
    return sustained(port, path, connections, seconds).per_s


def sustained(port: int, path: str, connections: int, seconds: int) -> Sustained:
    """By wrk with one thread."""
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is missing: scripts/debian.sh wrk installs it")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK % BODY.decode())
        script.flush()
        url = f"http://127.0.0.1:{port}{path}"
        command = ["wrk", "--latency", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script.name, url]
        text = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ)).stdout
    return read(text)


def read(text: str) -> Sustained:
    """What wrk has printed. A refusal is an error: it is quicker than an answer."""
    if "Non-2xx" in text:
        raise RuntimeError(text)
    per_s, p99 = re.search(r"Requests/sec:\s+([\d.]+)", text), re.search(r"99%\s+([\d.]+)(us|ms|s)\b", text)
    assert per_s is not None, text
    assert p99 is not None, text
    return Sustained(float(per_s[1]), float(p99[1]) * MICROSECONDS[p99[2]])
