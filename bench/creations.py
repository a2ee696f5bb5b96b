"""How many sandboxes control has made in a second, over sockets: placement, order, ready report, and the gateway told.

    python bench/creations.py control PORT              control alone
    python bench/creations.py planes PORT WORKERS       workers whose sandboxes take no time, and a gateway

The second reads `flood SECONDS` or `pace PER_SECOND SECONDS` from its input, and answers with creations per second and
the p50 and p99 from demand to ready, in ms. Each creation is a whole life: a demand from zero, a sandbox that is up and
published, no demand any more, a sandbox that is stopped and taken back.
"""

import asyncio
import contextlib
import gc
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec
import uvloop

from attacca.control.config import ControlConfig
from attacca.control.core.stored import FUNCTIONS, Function
from attacca.control.driver import Control
from attacca.control.packing import packing
from attacca.io.store.memory import MemoryStore
from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.tcp import Dialer, Listener
from attacca.io.wire.types import Hello, Limits
from attacca.kernel.clock import SystemClock
from attacca.kernel.rand import Streams
from attacca.model.endpoints import Endpoints, EndpointsChanged, Load, Loads
from attacca.model.function import PythonDirectory, Revision, Scheduling, Settings, Signature
from attacca.model.messages import FromControl, GatewayJoined, ToControl, ToGateway
from attacca.policy.scaling.types import Demand, Scaled
from attacca.worker.config import WorkerConfig
from attacca.worker.driver import Worker
from attacca.worker.runtime.scripted import ScriptedMachine, Times
from attacca.worker.runtime.simulated import SimulatedRuntime
from bench.client import throughput
from bench.result import Result, Round
from bench.server import floor, free_port, wait_until_open

HOST, KEY, LIMITS = "127.0.0.1", b"bench", Limits(hello_s=60.0)
WORKERS = 1000
FUNCTIONS_MOST = 400
AT_ONCE = 64  # creations that a flood has under way
AT_ONCE_TIMES = Times(sandbox_ms=0.0, code_ms=0.0, imports_ms=0.0, fork_ms=0.0, run_ms=0.0, kill_ms=0.0)


class AsAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As many sandboxes as there are invocations: a scaling policy that decides in no time."""

    def fresh(self) -> "AsAsked":
        return self

    def ask(self, now: float, demand: Demand) -> Scaled:
        return Scaled(demand.running + demand.waiting, "as asked")


def revision(number: int) -> Revision:
    name = f"f{number}"
    settings = Settings(
        name=name, memory_mb=32, scheduling=Scheduling.CLUSTER, scaling={"policy": "bench.creations:AsAsked"}
    )
    return Revision(
        function=name, number=1, settings=settings, handler="main:handler", signature=Signature.EVENT,
        artefact=PythonDirectory("c0de" * 10),
    )  # fmt: skip


async def control(port: int) -> None:
    clock, peers, streams = SystemClock(), Peers[Any](), Streams.from_entropy()
    store = MemoryStore(clock)
    for number in range(FUNCTIONS_MOST):
        one = revision(number)
        await store.put_if(FUNCTIONS + one.function, msgspec.json.encode(Function(one.function, 1, 1, (one,))), 0)
    with tempfile.TemporaryDirectory() as state:
        plane = Control(
            ControlConfig(state_dir=Path(state)), store, clock, packing(peers.send), lambda _: None,
            chance=streams.stream("placement"), silent_s=10.0,
        )  # fmt: skip
        await plane.open()
        peers.bind(lambda _: None, lambda peer: partial(plane.receive, peer), plane.lose)
        hello = Hello("control", "control", KEY)
        listener = Listener(lambda: StreamLink(peers, hello, ToControl, LIMITS, has_dialed=False), WORKERS + 8)
        await listener.open(HOST, port)
        settle()
        await asyncio.Event().wait()


class Client:
    """The gateway: it wants a sandbox of a function, sees it come, wants it no more, and sees it go."""

    def __init__(self) -> None:
        self.peers: Peers[Any] = Peers()
        self.idle = deque(f"f{number}" for number in range(FUNCTIONS_MOST))
        self.began: dict[str, float] = {}
        self.functions: dict[str, str] = {}  # by sandbox that is there
        self.took_ms: list[float] = []
        self.is_flooding = False
        self.at_rest: asyncio.Future[None] | None = None

    def join(self, _: str) -> None:
        self.peers.send("control", GatewayJoined("gateway"))

    def want(self) -> None:
        """What nothing is left of, waits for the next."""
        if self.idle:
            name = self.idle.popleft()
            self.began[name] = time.perf_counter()
            self._say(name, 1)

    def _say(self, name: str, waiting: int) -> None:
        self.peers.send("control", Loads((Load(name, 0, waiting),)))

    def hear(self, message: Any) -> None:
        if not isinstance(message, EndpointsChanged | Endpoints):
            return
        for endpoint in message.added if isinstance(message, EndpointsChanged) else message.endpoints:
            name = self.functions[endpoint.sandbox] = endpoint.function
            self.took_ms.append((time.perf_counter() - self.began.pop(name)) * 1e3)
            self._say(name, 0)
        for sandbox in message.removed if isinstance(message, EndpointsChanged) else ():
            self.idle.append(self.functions.pop(sandbox))
            if self.is_flooding:
                self.want()
            elif self.at_rest is not None and not (self.began or self.functions):
                self.at_rest.set_result(None)
                self.at_rest = None

    async def flood(self, seconds: float) -> None:
        self.is_flooding = True
        for _ in range(AT_ONCE):
            self.want()
        await asyncio.sleep(seconds)
        self.is_flooding = False

    async def pace(self, per_second: float, seconds: float) -> None:
        """Open loop: late ones are made up for."""
        began, sent = time.perf_counter(), 0
        while (spent := time.perf_counter() - began) < seconds:
            while sent < spent * per_second:
                self.want()
                sent += 1
            await asyncio.sleep(0.001)

    async def rest(self) -> None:
        """Until nothing is under way."""
        if self.began or self.functions:
            self.at_rest = asyncio.get_running_loop().create_future()
            await self.at_rest

    async def measure(self, order: list[str]) -> str:
        self.took_ms.clear()
        began = time.perf_counter()
        await (self.flood if order[0] == "flood" else self.pace)(*map(float, order[1:]))
        took, seconds = sorted(self.took_ms), time.perf_counter() - began
        await self.rest()
        return f"{len(took) / seconds} {took[len(took) // 2]} {took[int(len(took) * 0.99)]}"


async def planes(port: int, count: int) -> None:
    clock, streams, joined = SystemClock(), Streams.from_entropy(), []

    def dial(name: str, plane: str, peers: Peers[Any], words: Any) -> None:
        hello = Hello(plane, name, KEY)
        dialer = Dialer(lambda: StreamLink(peers, hello, words, LIMITS, has_dialed=True), [(HOST, port)])
        dialer.open()
        joined.append(dialer)

    for number in range(count):
        peers: Peers[Any] = Peers()
        runtime = SimulatedRuntime(ScriptedMachine(clock, AT_ONCE_TIMES, on_loop=True))
        config = WorkerConfig(name=f"w{number:04}", memory_mb=16_384, templates=False)
        worker = Worker(config, runtime, clock, streams, peers.send, lambda _: None)
        await worker.open()
        peers.bind(worker.join, receiver(worker), worker.lose)
        dial(config.name, "worker", peers, FromControl)
        await peers.until("control")
    client = Client()
    client.peers.bind(client.join, lambda _: client.hear, lambda *_: None)
    dial("gateway", "gateway", client.peers, ToGateway)
    await client.peers.until("control")
    settle()
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while order := (await loop.run_in_executor(None, sys.stdin.readline)).split():
        print(await client.measure(order), flush=True)


def receiver(worker: Worker) -> Callable[[str], Callable[[Any], None]]:
    return lambda peer: partial(worker.receive, peer)


def settle() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@contextlib.contextmanager
def both() -> Iterator[Callable[..., tuple[float, float, float]]]:
    """Control and the planes around it; the answer orders a measurement."""
    port, command = free_port(), [sys.executable, str(Path(__file__).resolve())]
    alone = subprocess.Popen([*command, "control", str(port)], stderr=subprocess.DEVNULL)
    wait_until_open(port, alone, None)
    around = subprocess.Popen(
        [*command, "planes", str(port), str(WORKERS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert around.stdin is not None
    assert around.stdout is not None
    ask, answer = around.stdin, around.stdout

    def measure(*order: object) -> tuple[float, float, float]:
        ask.write(" ".join(map(str, order)) + "\n")
        ask.flush()
        per_second, p50_ms, p99_ms = map(float, answer.readline().split())
        return per_second, p50_ms, p99_ms

    try:
        assert answer.readline().strip() == "ready"
        yield measure
    finally:
        for process in (around, alone):
            process.kill()
            process.wait()


def creations(rounds: int, seconds: int) -> Iterator[Result]:
    """1,000 workers with real sockets: as many as it can, and the p99 at a rate of 0.04 of the relay's requests."""
    flooded, paced = [], []
    with both() as measure, floor("relay") as relay:
        measure("flood", 1)
        for _ in range(rounds):
            lowest = throughput(relay, "/", 16, seconds)
            flooded.append(Round(measure("flood", seconds)[0], lowest))
            paced.append(Round(measure("pace", 0.04 * lowest, seconds)[2], 1.0))
    yield Result("sandboxes made by control alone, 1,000 workers", "/s", "relay", 0.1, flooded, at_least=True)
    yield Result("from demand to ready, at 0.04 of the relay's rate, p99", "ms", "", 50.0, paced)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["control", port]:
            uvloop.run(control(int(port)))
        case ["planes", port, count]:
            uvloop.run(planes(int(port), int(count)))
        case _:
            sys.exit(__doc__)
