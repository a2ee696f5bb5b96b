"""What is measured: each measure is a ratio to a floor in the same round, or a number of its own."""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from attacca.cli.functions.init import AT_ONCE
from bench.client import Client, latency, throughput
from bench.containers import container
from bench.creations import creations
from bench.decisions import decisions
from bench.floods import floods
from bench.journal import accepted
from bench.microvms import microvm
from bench.modules import wasm_start
from bench.networks import networks
from bench.orchestrator import node_death
from bench.planes import apart, gateways, many_gateways
from bench.result import Result, Round
from bench.seeing import pages, seen, series
from bench.server import HERE, Attacca, attacca, endless_loops, floor, uvicorn
from bench.simulation import ALL_MINUTES, eight_hours, scale, simulation, sweep
from bench.validation import validation
from bench.wasm_calls import wasm_calls
from bench.workflows import call, cast, chain, migration, node_killed, standby, workflow_start

FUNCTIONS = HERE / "functions"
PYTHON = os.path.realpath(sys.executable)
MANY = 24  # functions that take turns in being started cold
MEMORY_MB = "20000"


def _echo(server: Attacca) -> None:
    server.deploy(FUNCTIONS / "echo", "--name", "echo", "--max", "2", "--queue", "1000")


def warm(rounds: int, calls: int) -> Iterator[Result]:
    """One connection, one warm sandbox, 128 bytes of JSON: p50 and p99."""
    p50, p99 = [], []
    with attacca() as server, floor("relay") as relay:
        _echo(server)
        for _ in range(rounds):
            lowest = latency(relay, "/", calls)
            ours = latency(server.port, "/function/echo", calls)
            p50.append(Round(ours[0], lowest[0]))
            p99.append(Round(ours[1], lowest[1]))
    yield Result("warm invocation, 1 connection, p50", "us", "relay p50", 1.6, p50)
    yield Result("warm invocation, 1 connection, p99", "us", "relay p99", 3.0, p99)


def sustained(rounds: int, seconds: int) -> Iterator[Result]:
    """16 connections on 2 sandboxes."""
    found = []
    with attacca() as server, floor("relay") as relay:
        _echo(server)
        server.api("POST", "/api/functions/echo/prewarm", {"count": 2})
        for _ in range(rounds):
            lowest = throughput(relay, "/", 16, seconds)
            found.append(Round(throughput(server.port, "/function/echo", 16, seconds), lowest))
    yield Result("warm throughput, 16 connections, 2 sandboxes", "/s", "relay", 0.4, found, at_least=True)


def beside_loops(rounds: int, seconds: int) -> Iterator[Result]:
    """What of its share of the relay's throughput is kept when four programs beside both never rest."""
    found = []
    with attacca() as server, floor("relay") as relay:
        _echo(server)
        server.api("POST", "/api/functions/echo/prewarm", {"count": 2})

        def share() -> float:
            ours = throughput(server.port, "/function/echo", 16, seconds)
            return 100 * ours / throughput(relay, "/", 16, seconds)

        for _ in range(rounds):
            quiet = share()
            with endless_loops(4):
                found.append(Round(share(), quiet))
    name = "warm throughput beside 4 endless loops, in parts of the relay's"
    yield Result(name, "%", "the same, quiet", 0.75, found, at_least=True)


def application(rounds: int, calls: int) -> Iterator[Result]:
    """A FastAPI application in one warm sandbox, beside one uvicorn process that serves it; one connection."""
    p50 = []
    with _application("1") as (server, beside):
        for _ in range(rounds):
            lowest = latency(beside, "/", calls)[0]
            p50.append(Round(latency(server.port, "/function/web", calls)[0], lowest))
    yield Result("FastAPI application, 1 connection, p50", "us", "uvicorn p50", 1.6, p50)


def applications(rounds: int, seconds: int) -> Iterator[Result]:
    """The same application in two sandboxes, and again one uvicorn process; 16 connections. A sandbox takes as many at
    once as `attacca init` writes into an application's settings (uvicorn has no bound), then one."""
    together, alone = [], []
    with _application("2", AT_ONCE) as (server, beside):
        server.deploy(FUNCTIONS / "web", *_options("alone", "2"))
        for name in ("web", "alone"):
            server.api("POST", f"/api/functions/{name}/prewarm", {"count": 2})
        for _ in range(rounds):
            lowest = throughput(beside, "/", 16, seconds)
            together.append(Round(throughput(server.port, "/function/web", 16, seconds), lowest))
            alone.append(Round(throughput(server.port, "/function/alone", 16, seconds), lowest))
    name = "FastAPI application, 16 connections, 2 sandboxes"
    at_once = f"{name}, concurrency {AT_ONCE}"
    yield Result(at_once, "/s", "1 uvicorn process", 0.9, together, at_least=True)
    yield Result(name, "/s", "1 uvicorn process", 0.5, alone, at_least=True)


@contextlib.contextmanager
def _application(sandboxes: str, concurrency: int = 1) -> Iterator[tuple[Attacca, int]]:
    """A server that has it, and the port of a uvicorn process that runs the same code with the same bundle."""
    with attacca() as server:
        server.deploy(FUNCTIONS / "web", *_options("web", sandboxes, concurrency))
        bundle = next((server.state / "bundles").iterdir())
        with uvicorn(FUNCTIONS / "web", "main:app", bundle) as port:
            yield server, port


def _options(name: str, sandboxes: str, concurrency: int = 1) -> tuple[str, ...]:
    bounds = ("--max", sandboxes, "--concurrency", str(concurrency), "--queue", "1000")
    return ("--name", name, "--handler", "main:app", "--memory", "512", *bounds)


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
    return sorted(took)


def _fork(modules: list[str], bundle: Path | None) -> dict[str, float]:
    command = [sys.executable, str(HERE / "floors.py"), "fork", *modules]
    environment = {**os.environ, "PYTHONPATH": str(bundle)} if bundle is not None else dict(os.environ)
    found: dict[str, float] = json.loads(
        subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    )
    return found


def _whole_process() -> float:
    began = time.perf_counter()
    os.waitpid(os.posix_spawn(PYTHON, [PYTHON, "-I", "-S", "-c", "pass"], {}), 0)
    return (time.perf_counter() - began) * 1e3


def template(rounds: int, calls: int) -> Iterator[Result]:
    """A function that imports FastAPI, pydantic and numpy, started from its template."""
    found = []
    with attacca() as server:
        server.deploy(FUNCTIONS / "heavy", "--name", "heavy", "--handler", "main:app", "--memory", "512")
        bundle = next((server.state / "bundles").iterdir())
        for _ in range(rounds):
            lowest = _fork(["fastapi", "pydantic", "numpy"], bundle)["p50_ms"]
            took = _starts(server, "heavy", "template", calls)
            found.append(Round(took[len(took) // 2], lowest))
    yield Result("template start, FastAPI + pydantic + numpy, p50", "ms", "fork of the same p50", 2.5, found)


def cold(rounds: int, calls: int) -> Iterator[Result]:
    """A function of the standard library only, made from nothing each time; then as many as four clients ask for."""
    first = []
    with attacca("--set", "worker.templates=false") as server:
        server.deploy(FUNCTIONS / "cold", "--name", "cold")
        for _ in range(rounds):
            lowest = sorted(_whole_process() for _ in range(calls))
            took = _starts(server, "cold", "cold", calls)
            first.append(Round(took[len(took) // 2], lowest[len(lowest) // 2]))
    with attacca("--set", "worker.templates=false", "--set", "worker.keepalive.idle_s=0.001") as server:
        names = [f"cold{number}" for number in range(MANY)]
        for name in names:
            server.deploy(FUNCTIONS / "cold", "--name", name)
        many = [Round(_per_second(server, names, 4, 4.0), _fork([], None)["per_s"]) for _ in range(rounds)]
    whole = "python3 -I -S -c pass p50"
    yield Result("first cold start, standard library only, p50", "ms", whole, 1.0, first)
    yield Result("cold starts sustained, 4 clients", "/s", "fork per second", 0.4, many, at_least=True)


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


def memory(rounds: int, count: int) -> Iterator[Result]:
    """What `count` idle sandboxes hold, with zygote, template and supervisor, divided by their number (PSS)."""
    found = []
    for _ in range(rounds):
        with attacca("--memory", MEMORY_MB) as server:
            server.deploy(FUNCTIONS / "cold", "--name", "cold", "--memory", "32")
            server.api("POST", "/api/functions/cold/prewarm", {"count": count})
            deadline = time.monotonic() + 120
            while server.idle("cold") < count:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"only {server.idle('cold')} of {count} sandboxes were ready in time")
                time.sleep(0.05)
            found.append(Round(sum(map(_pss_mb, _below(server.process.pid))) / count, 1.0))
    yield Result(f"memory of an idle sandbox, {count} held", "MB", "", 2.0, found)


def _below(pid: int) -> Iterator[int]:
    """All descendants of a process."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from _below(int(child))


def _pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


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
        _echo(server)
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


class Measure(NamedTuple):
    run: Callable[[int, int], Iterator[Result]]
    rounds: int
    size: int  # calls, seconds or sandboxes in a round
    quick: int


MEASURES = {
    "warm": Measure(warm, 7, 6000, 2000),
    "sustained": Measure(sustained, 5, 4, 2),
    "busy": Measure(beside_loops, 7, 4, 2),
    "application": Measure(application, 7, 4000, 1500),
    "applications": Measure(applications, 5, 4, 2),
    "template": Measure(template, 5, 100, 30),
    "cold": Measure(cold, 5, 100, 30),
    "memory": Measure(memory, 1, 500, 50),
    "floods": Measure(floods, 3, 3000, 1500),
    "accepted": Measure(accepted, 7, 2, 1),
    "seen": Measure(seen, 7, 8000, 800),
    "pages": Measure(pages, 3, 5000, 1000),
    "series": Measure(series, 5, 100_000, 20_000),
    "cast": Measure(cast, 7, 4000, 1000),
    "call": Measure(call, 7, 4000, 1000),
    "chain": Measure(chain, 7, 8000, 3000),
    "workflow_start": Measure(workflow_start, 5, 10, 3),
    "migration": Measure(migration, 5, 600, 300),
    "node_killed": Measure(node_killed, 3, 2000, 1600),
    "standby": Measure(standby, 3, 2000, 1600),
    "node_death": Measure(node_death, 5, 10_000, 2_000),
    "apart": Measure(apart, 7, 4000, 1500),
    "gateways": Measure(gateways, 5, 4, 2),
    "many_gateways": Measure(many_gateways, 1, 2000, 1000),
    "generator": Measure(generator, 5, 5, 3),
    "simulation": Measure(simulation, 5, 171_558, 40_000),
    "scale": Measure(scale, 3, 100_000, 10_000),
    "creations": Measure(creations, 5, 5, 2),
    "decisions": Measure(decisions, 7, 5000, 500),
    "sweep": Measure(sweep, 3, 40, 8),
    "eight_hours": Measure(eight_hours, 1, ALL_MINUTES, 30),
    "validation": Measure(validation, 2, 180, 15),
    "wasm_calls": Measure(wasm_calls, 5, 300, 60),
    "wasm_start": Measure(wasm_start, 5, 50, 20),
    "container": Measure(container, 5, 30, 10),
    "microvm": Measure(microvm, 3, 5, 3),
    "networks": Measure(networks, 5, 30, 10),
}
