"""What of our ratio to a floor is kept where four programs beside both never rest.

Each server is in a session of its own, as the programs are together; and the relay's waiting processes are in a cgroup
of their own, as sandboxes are.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from attacca.cli.functions.init import AT_ONCE
from bench.applications import web
from bench.client import medians, sustained, throughput
from bench.result import Result, Round
from bench.server import attacca, endless_loops, seated_relay, uvicorn
from bench.warm import echo

LOOPS = 4
WITHIN = 1.3  # of the quiet ratio
TURNS, CALLS = 10, 50  # on one connection: beside the loops each may take a turn of the scheduler


class Row(NamedTuple):
    name: str
    of: str  # whose measure ours is a part or a multiple of
    at_least: bool = False


def _kept(rounds: int, rows: Sequence[Row], look: Callable[[], Sequence[float]]) -> Iterator[Result]:
    """`look` has our ratio of each row."""
    found: list[list[Round]] = [[] for _ in rows]
    for _ in range(rounds):
        quiet = look()
        with endless_loops(LOOPS):
            beside = look()
        for rounds_of_one, ours, lowest in zip(found, beside, quiet, strict=True):
            rounds_of_one.append(Round(ours, lowest))
    for row, rounds_of_one in zip(rows, found, strict=True):
        name = f"{row.name} beside {LOOPS} endless loops, in parts of {row.of}"
        bar = 1 / WITHIN if row.at_least else WITHIN
        yield Result(name, "x", "the same, quiet", round(bar, 2), rounds_of_one, row.at_least)


def busy(rounds: int, seconds: int) -> Iterator[Result]:
    """The echo beside the relay: one connection, then sixteen on two sandboxes."""
    rows = (
        Row("warm p50, 1 connection,", "the relay's"),
        Row("warm throughput", "the relay's", at_least=True),
        Row("warm p99, 16 connections,", "the relay's"),
    )
    with attacca() as server, seated_relay() as relay:
        echo(server)
        server.api("POST", "/api/functions/echo/prewarm", {"count": 2})

        def look() -> tuple[float, ...]:
            lowest, ours = medians(_places(relay, server.port, "echo"), TURNS, CALLS)
            least, many = (sustained(port, path, 16, seconds) for port, path in _places(relay, server.port, "echo"))
            return ours / lowest, many.per_s / least.per_s, many.p99_us / least.p99_us

        yield from _kept(rounds, rows, look)


def busy_application(rounds: int, seconds: int) -> Iterator[Result]:
    """The FastAPI application beside one uvicorn process: one connection, then sixteen on two sandboxes."""
    rows = (
        Row("FastAPI application, p50, 1 connection,", "uvicorn's"),
        Row("FastAPI application, throughput", "uvicorn's", at_least=True),
    )
    with web("2", AT_ONCE) as (server, peer), uvicorn(peer) as beside:
        server.api("POST", "/api/functions/web/prewarm", {"count": 2})

        def look() -> tuple[float, ...]:
            lowest, ours = medians(_places(beside, server.port, "web"), TURNS, CALLS)
            least, many = (throughput(port, path, 16, seconds) for port, path in _places(beside, server.port, "web"))
            return ours / lowest, many / least

        yield from _kept(rounds, rows, look)


def _places(beside: int, ours: int, function: str) -> tuple[tuple[int, str], ...]:
    return (beside, "/"), (ours, f"/function/{function}")
