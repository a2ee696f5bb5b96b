"""A gateway and a worker in one process, joined in memory: to all others each is the plane that it is alone."""

import asyncio
import contextlib
from typing import Any, Protocol

import msgspec

from attacca.cli.serve.configuration import ServerConfig
from attacca.cli.serve.planes.gateway import GatewayPlane
from attacca.cli.serve.planes.worker import WorkerPlane
from attacca.io.wire import memory
from attacca.io.wire.peers import Peers
from attacca.io.wire.types import Hello, Limits
from attacca.kernel.registry import Choice

AGAIN_S = 0.05  # until a link that broke is made anew


class Beside(Protocol):
    """A worker that is open."""

    @property
    def name(self) -> str: ...
    def end(self) -> tuple[Peers[Any], Hello]:
        """Its links to gateways, and its first word on one."""


class Within:
    """The gateway's road to the worker of its process. As a `tcp.Dialer`, it makes a link that breaks anew."""

    def __init__(self, worker: Beside, peers: Peers[Any], hello: Hello, limits: Limits) -> None:
        self._worker, self._peers, self._hello, self._limits = worker, peers, hello, limits
        self._link: memory.MemoryLink | None = None
        self._again: asyncio.TimerHandle | None = None
        self._is_wanted = False

    def __repr__(self) -> str:
        return f"<Within to {self._worker.name}: {'no link' if self._link is None else self._link}>"

    @property
    def name(self) -> str:
        return self._worker.name

    def dial(self) -> None:
        self._is_wanted = True
        if self._link is None and self._again is None:
            self._join()

    def lose(self) -> None:
        """The link is gone, whoever ended it."""
        self._link = None
        if self._is_wanted and self._again is None:
            self._again = asyncio.get_running_loop().call_later(AGAIN_S, self._join)

    def hang_up(self, why: str) -> None:
        self._is_wanted = False
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._link is not None:
            self._link.close(why)

    def _join(self) -> None:
        self._again = None
        self._link = memory.join(self._peers, self._hello, *self._worker.end(), self._limits)


class Pair:
    """A `running.Plane`. The worker is there before its gateway, and after it."""

    def __init__(self, worker: WorkerPlane, gateway: GatewayPlane) -> None:
        self._worker, self._gateway = worker, gateway

    def __repr__(self) -> str:
        return f"<Pair {self._gateway!r}, {self._worker!r}>"

    async def open(self) -> None:
        """
        Raises:
            AttaccaError: what stands in the way, and what to do about it.
        """
        await self._worker.open()
        try:
            await self._gateway.open()
        except BaseException:
            await self._worker.close()
            raise

    async def drain(self) -> None:
        await self._gateway.drain()
        await self._worker.drain()

    async def close(self) -> None:
        async with contextlib.AsyncExitStack() as closing:
            closing.push_async_callback(self._worker.close)
            closing.push_async_callback(self._gateway.close)


def of_gateway(config: ServerConfig, name: str) -> ServerConfig:
    """What the gateway is told, in the process of a worker that is told the rest. Its state is in the directory that
    holds the worker's."""
    cluster = msgspec.structs.replace(config.cluster, name=name)
    control = msgspec.structs.replace(config.control, state_dir=config.control.state_dir.parent)
    gateway = config.gateway
    if gateway.balancing == type(gateway)().balancing:  # nobody wants another
        gateway = msgspec.structs.replace(
            gateway, balancing=Choice(policy="own_first", options={"worker": config.cluster.name})
        )
    return msgspec.structs.replace(config, cluster=cluster, control=control, gateway=gateway)
