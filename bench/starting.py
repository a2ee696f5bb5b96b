"""Starts of sandboxes as their clients see them, beside forks, and beside a server until its first answer."""

import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench.client import Client
from bench.result import Result, Round
from bench.server import FUNCTIONS, HERE, Attacca, Peer, attacca, endless_loops, floor_of, free_port

PYTHON = os.path.realpath(sys.executable)
CLIENTS, MANY = 16, 48  # at once, and functions that take turns in being started cold
MANY_S = 4.0
LIBRARIES = ["fastapi", "pydantic", "numpy"]
HEAVY = "FastAPI + pydantic + numpy"
UP_S = 60.0


def template(rounds: int, calls: int) -> Iterator[Result]:
    """A function that imports FastAPI, pydantic and numpy, started from its template."""
    with _heavy() as (server, bundle):
        found = [_from_template(server, bundle, calls) for _ in range(rounds)]
    yield Result(f"template start, {HEAVY}, p50", "ms", "fork of the same p50", 2.2, found)


def loaded_template(rounds: int, calls: int) -> Iterator[Result]:
    """The same beside as many endless loops as there are processors."""
    with _heavy() as (server, bundle), endless_loops(os.cpu_count() or 1):
        found = [_from_template(server, bundle, calls) for _ in range(rounds)]
    beside = "fork of the same p50, at the same load"
    yield Result(f"template start, {HEAVY}, at load 1 per core, p50", "ms", beside, 3.0, found)


def _from_template(server: Attacca, bundle: Path, calls: int) -> Round:
    lowest = _fork(LIBRARIES, bundle)["p50_ms"]
    return Round(statistics.median(_starts(server, "heavy", "template", calls)), lowest)


@contextlib.contextmanager
def _heavy(*options: str) -> Iterator[tuple[Attacca, Path]]:
    """A server that has the function, and what it imports from."""
    with attacca(*options) as server:
        server.deploy(FUNCTIONS / "heavy", "--name", "heavy", "--handler", "main:app", "--memory", "512")
        yield server, next((server.state / "bundles").iterdir())


def _starts(server: Attacca, function: str, kind: str, count: int) -> list[float]:
    """Milliseconds of invocations that had to start a sandbox, as their client saw them."""
    client = Client(server.port)
    took: list[float] = []
    while len(took) < count:
        server.evict(function)
        answer = client.post(f"/function/{function}")
        if answer.status != 200:
            raise RuntimeError(f"{function} answered {answer.status}")
        if answer.start == kind:
            took.append(answer.took_s * 1e3)
    client.close()
    return took


def _fork(modules: list[str], bundle: Path) -> dict[str, float]:
    command = [sys.executable, str(HERE / "floors.py"), "fork", *modules]
    environment = {**os.environ, "PYTHONPATH": str(bundle)}
    found: dict[str, float] = json.loads(
        subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    )
    return found


def cold(rounds: int, calls: int) -> Iterator[Result]:
    """A function of the standard library only, made from nothing each time."""
    first = []
    with attacca("--set", "worker.templates=false") as server:
        server.deploy(FUNCTIONS / "cold", "--name", "cold")
        for _ in range(rounds):
            lowest = statistics.median(_whole_process() for _ in range(calls))
            first.append(Round(statistics.median(_starts(server, "cold", "cold", calls)), lowest))
    whole = "python3 -I -S -c pass p50"
    yield Result("first cold start, standard library only, p50", "ms", whole, 1.0, first)


def _whole_process() -> float:
    began = time.perf_counter()
    os.waitpid(os.posix_spawn(PYTHON, [PYTHON, "-I", "-S", "-c", "pass"], {}), 0)
    return (time.perf_counter() - began) * 1e3


def cold_many(rounds: int, clients: int) -> Iterator[Result]:
    """As many cold starts as sixteen clients ask for, who go round functions that keep nothing."""
    with attacca("--set", "worker.templates=false", "--set", "worker.keepalive.idle_s=0.001") as server:
        names = [f"cold{number}" for number in range(MANY)]
        server.deploy_many(FUNCTIONS / "cold", names)
        many = [
            Round(_per_second(server, names, clients, MANY_S), floor_of("forks", str(clients))["per_s"])
            for _ in range(rounds)
        ]
    beside = f"forks per second, {clients} at once"
    yield Result(f"cold starts sustained, {clients} clients", "/s", beside, 0.7, many, at_least=True)


def _per_second(server: Attacca, functions: list[str], clients: int, seconds: float) -> float:
    """Cold starts per second that clients saw. They go round the functions, whose sandboxes do not outlive a round."""
    turns = itertools.cycle(functions)
    counts = [0] * clients
    end = time.perf_counter() + seconds

    def ask(place: int) -> None:
        client = Client(server.port)
        while time.perf_counter() < end:
            answer = client.post(f"/function/{next(turns)}")
            counts[place] += answer.status == 200 and answer.start == "cold"
        client.close()

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def true_cold(rounds: int, starts: int) -> Iterator[Result]:
    """The application of `template` without one, beside uvicorn from its start to its first answer: in turns."""
    found = []
    with _heavy("--set", "worker.templates=false") as (server, bundle):
        peer = Peer(FUNCTIONS / "heavy", "main:app", bundle)
        for _ in range(rounds):
            pairs = [(_starts(server, "heavy", "cold", 1)[0], _fresh(peer)) for _ in range(starts)]
            found.append(Round(*map(statistics.median, zip(*pairs, strict=True))))
    beside = "fresh uvicorn until its first answer, p50"
    yield Result(f"cold start without a template, {HEAVY}, p50", "ms", beside, 0.6, found)


def _fresh(peer: Peer) -> float:
    """Milliseconds from the order to start uvicorn until it has answered."""
    port = free_port()
    began = time.perf_counter()
    process = subprocess.Popen(peer.uvicorn(port), env=peer.environment(), stderr=subprocess.DEVNULL)
    try:
        while time.perf_counter() - began < UP_S:
            with contextlib.suppress(ConnectionRefusedError):
                client = Client(port)
                status = client.post("/").status
                took = time.perf_counter() - began
                client.close()
                if status != 200:
                    raise RuntimeError(f"uvicorn answered {status}")
                return took * 1e3
            time.sleep(0.001)
        raise RuntimeError("uvicorn does not answer")
    finally:
        process.kill()
        process.wait()
