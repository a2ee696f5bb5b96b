"""Warm invocations of an echo beside the relay, and when what is sent is sent."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.client import latency, sustained
from bench.result import Result, Round
from bench.server import FUNCTIONS, Attacca, attacca, floor


def echo(server: Attacca) -> None:
    server.deploy(FUNCTIONS / "echo", "--name", "echo", "--max", "2", "--queue", "1000")


def warm(rounds: int, calls: int) -> Iterator[Result]:
    """One connection, one warm sandbox, 128 bytes of JSON: p50 and p99."""
    p50, p99 = [], []
    with attacca() as server, floor("relay") as relay:
        echo(server)
        for _ in range(rounds):
            lowest = latency(relay, "/", calls)
            ours = latency(server.port, "/function/echo", calls)
            p50.append(Round(ours[0], lowest[0]))
            p99.append(Round(ours[1], lowest[1]))
    yield Result("warm invocation, 1 connection, p50", "us", "relay p50", 1.5, p50)
    yield Result("warm invocation, 1 connection, p99", "us", "relay p99", 3.0, p99)


def many(rounds: int, seconds: int) -> Iterator[Result]:
    """16 connections on 2 sandboxes: how many, and p99."""
    per_s, p99 = [], []
    with attacca() as server, floor("relay") as relay:
        echo(server)
        server.api("POST", "/api/functions/echo/prewarm", {"count": 2})
        for _ in range(rounds):
            lowest = sustained(relay, "/", 16, seconds)
            ours = sustained(server.port, "/function/echo", 16, seconds)
            per_s.append(Round(ours.per_s, lowest.per_s))
            p99.append(Round(ours.p99_us, lowest.p99_us))
    yield Result("warm throughput, 16 connections, 2 sandboxes", "/s", "relay", 0.6, per_s, at_least=True)
    yield Result("warm invocation, 16 connections, 2 sandboxes, p99", "us", "relay p99", 2.0, p99)


SENDING = """name = "sending"
[workload]
duration_s = {seconds}
warmup_s = 0.5
[[functions]]
name = "echo"
duration = {{ mean_ms = 0.1 }}
shape = {{ kind = "poisson", rate = 2000 }}
"""


def generator(rounds: int, seconds: int) -> Iterator[Result]:
    """2,000 invocations per second on an absolute schedule: how long after they were due they were sent."""
    late = []
    with attacca() as server, floor("relay") as relay, tempfile.TemporaryDirectory() as place:
        echo(server)
        server.api("POST", "/api/functions/echo/prewarm", {"count": 2})
        scenario = Path(place) / "sending.toml"
        scenario.write_text(SENDING.format(seconds=seconds + 0.5))
        for number in range(rounds):
            lowest = latency(relay, "/", 2000)[0]
            command = [sys.executable, "-m", "attacca.cli.app", "load", "run", str(scenario), "--no-deploy", "--json"]
            command += ["--target", f"http://127.0.0.1:{server.port}", "--out", f"{place}/{number}"]
            told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            late.append(Round(told["late_p50_ms"] * 1e3, lowest))
    yield Result("generator lateness, 2,000 per second, p50", "us", "relay p50", 2.0, late)
