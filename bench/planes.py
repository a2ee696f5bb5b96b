"""The planes in processes of their own, beside all of them in one."""

from collections.abc import Iterator
from contextlib import ExitStack

from bench.client import latency, throughput
from bench.result import Result, Round
from bench.server import HERE, Attacca, attacca

ECHO = HERE / "functions" / "echo"
MEMORY_MB = "4000"


def _echo(server: Attacca, sandboxes: int) -> None:
    server.deploy(ECHO, "--name", "echo", "--max", str(sandboxes), "--queue", "1000")


def apart(rounds: int, calls: int) -> Iterator[Result]:
    """A gateway and a worker joined over TCP, beside both in one process; one connection, one warm sandbox."""
    p50 = []
    with ExitStack() as both:
        together = both.enter_context(attacca("--memory", MEMORY_MB))
        joined = both.enter_context(attacca("--workers", "1", "--gateways", "1", "--memory", MEMORY_MB))
        for server in (together, joined):
            _echo(server, 1)
        for _ in range(rounds):
            lowest = latency(together.port, "/function/echo", calls)[0]
            p50.append(Round(latency(joined.port, "/function/echo", calls)[0], lowest))
    yield Result("gateway apart from worker, 1 connection, p50", "us", "both in one process", 1.8, p50)


def gateways(rounds: int, seconds: int) -> Iterator[Result]:
    """Two gateways and two workers, beside all in one process; 32 connections, 4 sandboxes in all."""
    found = []
    with ExitStack() as both:
        one = both.enter_context(attacca("--memory", MEMORY_MB))
        many = both.enter_context(attacca("--workers", "2", "--gateways", "2", "--memory", MEMORY_MB))
        _echo(one, 4)
        _echo(many, 2)
        for _ in range(rounds):
            lowest = throughput(one.port, "/function/echo", 32, seconds)
            found.append(Round(throughput(many.port, "/function/echo", 32, seconds), lowest))
    yield Result("2 gateways and 2 workers, 32 connections", "/s", "all in one process", 1.0, found, at_least=True)
