"""The planes in processes of their own, beside all of them in one."""

from collections.abc import Iterator
from contextlib import ExitStack

import msgspec

from attacca.kernel.clock import SystemClock
from attacca.load.workload.scenario import Scenario
from attacca.sim.run import Options, run
from bench.client import latency, throughput
from bench.result import Result, Round
from bench.server import HERE, Attacca, attacca

ECHO = HERE / "functions" / "echo"
MEMORY_MB = "4000"
GATEWAYS = (2, 4, 8, 16)
BUSY_MS = 0.1  # that a gateway has its hands full with an invocation
CLIENTS = 96  # of each gateway: they go to any of them by chance, and none is to lack work


def _echo(server: Attacca, sandboxes: int) -> None:
    server.deploy(ECHO, "--name", "echo", "--max", str(sandboxes), "--queue", "1000")


def apart(rounds: int, calls: int) -> Iterator[Result]:
    """A gateway and a worker joined over TCP, beside both in one process; one connection, one warm sandbox."""
    p50 = []
    with ExitStack() as both:
        together = both.enter_context(attacca("--memory", MEMORY_MB))
        joined = both.enter_context(attacca("--workers", "1", "--gateways", "1", "--apart", "--memory", MEMORY_MB))
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


def many_gateways(rounds: int, milliseconds: int) -> Iterator[Result]:
    """In simulation, as many invocations as 1, 2, 4, 8 and 16 gateways can take, by both schools."""
    for mode in ("worker", "cluster"):
        found = []
        for seed in range(1, rounds + 1):
            alone = _taken_per_s(mode, 1, seed, milliseconds)
            found += [Round(_taken_per_s(mode, many, seed, milliseconds), many * alone) for many in GATEWAYS]
        name = f"2 to {GATEWAYS[-1]} simulated gateways at their limit, scheduling = {mode}"
        yield Result(name, "/s", "one, as many times", 0.95, found, at_least=True)


def _taken_per_s(mode: str, gateways: int, seed: int, milliseconds: int) -> float:
    """Workers have more than enough room, and each has links to all gateways."""
    clients = CLIENTS * gateways
    functions = [
        {"name": f"f{number}", "memory_mb": 128, "concurrency": 4, "duration": {"mean_ms": 1}} for number in range(8)
    ]
    told = {
        "name": "gateways",
        "seed": seed,
        "workload": {"duration_s": milliseconds / 1e3, "clients": {"count": clients}},
        "system": {
            "mode": mode, "gateways": gateways, "workers": 4 * gateways, "cores": 8, "memory_mb": 8000,
            "scaling": {"policy": "fixed", "options": {"count": 2 * gateways}},
        },
        "hardware": {"gateway": {"mean_ms": BUSY_MS}, "network": {"mean_ms": 0.05}},
        "functions": functions,
    }  # fmt: skip
    totals = run(msgspec.convert(told, Scenario), SystemClock(), Options(checks="off")).totals
    return (totals.ok - clients) / milliseconds * 1e3  # as many are answered when nothing comes any more
