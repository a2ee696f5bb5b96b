"""Workers and gateways that come and go without end: what stays serves on, and nothing of the others is kept."""

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.tcp import Dialer
from attacca.io.wire.types import Hello
from attacca.kernel.clock import SystemClock
from attacca.kernel.rand import Streams
from attacca.model.messages import FromControl, GatewayJoined, ToGateway
from attacca.worker.config import WorkerConfig
from attacca.worker.driver import Worker
from attacca.worker.runtime.scripted import ScriptedMachine, Times
from attacca.worker.runtime.simulated import SimulatedRuntime
from tests.live.apart import Cluster, Plane, cluster
from tests.live.whole import until

ROUNDS = 60
NAMES = 4  # of those who pass by: each comes again and again, sometimes before it is found to be gone
HELLO = "def hello():\n    return 'hello'\n"


async def as_worker(name: str, visit: Callable[[Peers[Any], str, Any], Awaitable[None]]) -> None:
    clock, peers = SystemClock(), Peers[Any]()
    runtime = SimulatedRuntime(ScriptedMachine(clock, Times(), on_loop=True))
    config = WorkerConfig(name=name, memory_mb=512, templates=False)
    worker = Worker(config, runtime, clock, Streams(1), peers.send, lambda _: None)
    await worker.open()
    peers.bind(worker.join, lambda peer: partial(worker.receive, peer), worker.lose)
    await visit(peers, "worker", FromControl)
    await worker.close()


async def as_gateway(name: str, visit: Callable[[Peers[Any], str, Any], Awaitable[None]]) -> None:
    peers = Peers[Any]()
    peers.bind(lambda _: peers.send("control", GatewayJoined(name)), lambda _: lambda _: None, lambda *_: None)
    await visit(peers, "gateway", ToGateway)


async def pass_by(whole: Cluster, number: int) -> None:
    """One comes, stays for as long as it takes to be known, and is closed or cut off."""
    name = f"passer-{number % NAMES}"

    async def visit(peers: Peers[Any], plane: str, words: Any) -> None:
        host, _, port = whole.control.info["join"].rpartition(":")
        hello = Hello(plane, name, whole.token.encode(), instance=number.to_bytes(2))
        dialer = Dialer(lambda: StreamLink(peers, hello, words, has_dialed=True), [(host, int(port))])
        dialer.open()
        await peers.until("control")
        if number % 3 == 0:
            peers.cut("control")
        await dialer.close("goes again")

    await (as_worker if number % 2 else as_gateway)(name, visit)


def descriptors(plane: Plane) -> int:
    return len(os.listdir(f"/proc/{plane.process.pid}/fd"))


def test_who_comes_and_goes_without_end_leaves_nothing(tmp_path: Path) -> None:
    async def crowd(whole: Cluster) -> None:
        for number in range(ROUNDS):
            await pass_by(whole, number)

    with cluster(tmp_path) as whole:
        whole.control.function("hello", HELLO)
        planes = (whole.control, *whole.workers.values(), *whole.gateways.values())
        before = [descriptors(plane) for plane in planes]
        uvloop.run(crowd(whole))
        whole.until_joined()
        until(
            lambda: all(descriptors(plane) <= held for plane, held in zip(planes, before, strict=True)),
            "what they held is given back",
        )
        assert whole.gateways["g1"].call("hello").status == 200
        assert all("Traceback" not in plane.said for plane in planes)
