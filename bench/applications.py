"""A FastAPI application beside others that serve it: uvicorn, and gunicorn with uvicorn's workers."""

import contextlib
from collections.abc import Iterator

from attacca.cli.functions.init import AT_ONCE
from bench.client import latency, throughput
from bench.result import Result, Round
from bench.server import FUNCTIONS, Attacca, Peer, attacca, gunicorn, uvicorn

WORKERS = 2  # of gunicorn: as many as there are sandboxes


def application(rounds: int, calls: int) -> Iterator[Result]:
    """In one warm sandbox, beside one uvicorn process; one connection."""
    p50 = []
    with web("1") as (server, peer), uvicorn(peer) as beside:
        for _ in range(rounds):
            lowest = latency(beside, "/", calls)[0]
            p50.append(Round(latency(server.port, "/function/web", calls)[0], lowest))
    yield Result("FastAPI application, 1 connection, p50", "us", "uvicorn p50", 1.5, p50)


def applications(rounds: int, seconds: int) -> Iterator[Result]:
    """In two sandboxes, beside one uvicorn process and beside gunicorn with two; 16 connections. A sandbox takes as
    many at once as `attacca init` writes into an application's settings (the others have no bound), then one."""
    together, alone, forked = [], [], []
    with web("2", AT_ONCE) as (server, peer), uvicorn(peer) as one, gunicorn(peer, WORKERS) as two:
        server.deploy(FUNCTIONS / "web", *_options("alone", "2"))
        for name in ("web", "alone"):
            server.api("POST", f"/api/functions/{name}/prewarm", {"count": 2})
        for _ in range(rounds):
            lowest, of_two = (throughput(port, "/", 16, seconds) for port in (one, two))
            ours = throughput(server.port, "/function/web", 16, seconds)
            together.append(Round(ours, lowest))
            forked.append(Round(ours, of_two))
            alone.append(Round(throughput(server.port, "/function/alone", 16, seconds), lowest))
    name = "FastAPI application, 16 connections, 2 sandboxes"
    at_once = f"{name}, concurrency {AT_ONCE}"
    yield Result(at_once, "/s", "1 uvicorn process", 1.0, together, at_least=True)
    yield Result(f"{at_once}, beside gunicorn", "/s", "gunicorn, 2 workers", 0.5, forked, at_least=True)
    yield Result(name, "/s", "1 uvicorn process", 0.5, alone, at_least=True)


@contextlib.contextmanager
def web(sandboxes: str, concurrency: int = 1) -> Iterator[tuple[Attacca, Peer]]:
    """A server that has it, and how others serve the same code with the same bundle."""
    with attacca() as server:
        server.deploy(FUNCTIONS / "web", *_options("web", sandboxes, concurrency))
        yield server, Peer(FUNCTIONS / "web", "main:app", next((server.state / "bundles").iterdir()))


def _options(name: str, sandboxes: str, concurrency: int = 1) -> tuple[str, ...]:
    bounds = ("--max", sandboxes, "--concurrency", str(concurrency), "--queue", "1000")
    return ("--name", name, "--handler", "main:app", "--memory", "512", *bounds)
