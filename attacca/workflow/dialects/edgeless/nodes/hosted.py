"""One node of EDGELESS as a worker: the core that all have, on a runtime that is the node."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from attacca.kernel.clock import Clock
from attacca.kernel.rand import Streams
from attacca.model.events import (
    BeginInstance,
    BetweenInstances,
    Carried,
    Faraway,
    InstanceDown,
    InstanceUp,
    OfInstances,
    Patch,
    StartInstance,
    Torn,
)
from attacca.model.messages import Logged
from attacca.model.sandbox import MachineLoad
from attacca.worker.config import WorkerConfig
from attacca.worker.core.ways import is_far
from attacca.worker.driver import Worker
from attacca.worker.far import Far
from attacca.worker.measuring import Measuring
from attacca.workflow.dialects.edgeless.nodes.addresses import Addresses, drawn
from attacca.workflow.dialects.edgeless.nodes.agent import Agent
from attacca.workflow.dialects.edgeless.nodes.announced import Announced
from attacca.workflow.dialects.edgeless.nodes.runtime import NodeRuntime
from attacca.workflow.dialects.edgeless.nodes.shelf import Kept, Shelf

CONTROL = "control"
MEMORY_LEAST_MB, MEMORY_UNSAID_MB = 32, 1 << 20
ADOPT_S = 10.0  # until what it has already is up here
Hear = Callable[["Hosted", Any], None]


class Near:
    """A `worker.carrying.Roads`, to workers of this domain: through control."""

    def __init__(self, far: Far) -> None:
        self.far = far

    def __repr__(self) -> str:
        return f"<Near {self.far!r}>"

    def dial(self, worker: str, where: str) -> None:
        """There is no other way."""

    def send(self, worker: str, message: BetweenInstances) -> None:
        self.far.send(worker, message)


class Hosted:
    """`here`: the id of the node that we are to it. `hear` takes what it says to control."""

    def __init__(
        self,
        node: Announced,
        here: str,
        agent: Agent,
        code: Callable[[], Path],
        clock: Clock,
        streams: Streams,
        hear: Hear,
        log: Callable[[Logged], None],
        shelf: Shelf,
    ) -> None:
        self.name, self.is_lost = node.name, False
        self._node, self._shelf = node, shelf
        self._orders: dict[str, StartInstance] = {}  # by instance, as far as they are kept
        self._awaited: set[str] = set()  # what it hosts already, and is not up here yet
        self._are_up = asyncio.Event()
        self._has_joined = False
        self._measuring = Measuring()
        self._measuring.load = node.load
        self._agent = agent
        addresses = Addresses(drawn)
        self.runtime = NodeRuntime(node.id, here, agent, addresses, code, clock, self)

        def send(_: str, message: Any) -> None:
            if self._has_joined:
                hear(self, message)
            elif isinstance(message, InstanceUp | InstanceDown):
                self._awaited.discard(message.id)
                if not self._awaited:
                    self._are_up.set()

        self.worker = Worker(_config(node), self.runtime, clock, streams, send, log, measuring=self._measuring)
        self.worker.core.machine = node.machine
        self._near = Near(
            Far(node.name, self.worker.hear_neighbour, self.worker.neighbour_joined, lambda told: hear(self, told))
        )
        self.worker.around = self._near

    def __repr__(self) -> str:
        return f"<Hosted {self.name}{', lost' * self.is_lost}: {self.runtime!r}>"

    async def open(self, hosts: list[Kept]) -> None:
        """`hosts`: what it has already, for us. It has joined when that is up here too."""
        await self.worker.open()
        self._awaited = {one.start.id for one in hosts}
        for one in hosts:
            if one.id:
                self.runtime.adopt(one.start.id, one.id, one.outlets)
            self.receive(one.start)
        if hosts:
            async with asyncio.timeout(ADOPT_S):
                await self._are_up.wait()
        self._has_joined = True
        self.worker.join(CONTROL)

    async def end(self) -> None:
        """What it hosts goes on, and is found again by who comes after us."""
        self.is_lost = True
        await self.worker.close()
        await self._agent.close()

    # As its runtime's memory.

    async def made(self, sandbox: str) -> None:
        order = self._orders[sandbox]
        if order.is_standby:
            await self._shelf.put(Kept(self._node.id, self._node.nonce, order, {}))

    async def begins(self, sandbox: str, outlets: dict[str, str]) -> None:
        await self._shelf.put(Kept(self._node.id, self._node.nonce, self._orders[sandbox], outlets))

    async def begun(self, sandbox: str, outlets: dict[str, str], id_: str) -> None:
        await self._shelf.put(Kept(self._node.id, self._node.nonce, self._orders[sandbox], outlets, id_))

    async def ended(self, sandbox: str) -> None:
        self._orders.pop(sandbox, None)
        await self._shelf.drop(self._node.id, sandbox)

    def measured(self, load: MachineLoad) -> None:
        self._measuring.load = load

    def receive(self, message: OfInstances | Faraway) -> None:
        if isinstance(message, Carried | Torn):
            self.carry(message)
            return
        if isinstance(message, StartInstance):
            self._orders[message.id] = message if message.is_standby else _bare(message)
            self.runtime.expect(message.id, message.workflow, tuple(route.output for route in message.routes))
        elif isinstance(message, Patch | BeginInstance):
            known = self._orders.get(message.id)
            if known is not None and isinstance(message, BeginInstance):
                self._orders[message.id] = msgspec.structs.replace(
                    _bare(known), is_standby=False, routes=message.routes, generation=message.generation
                )
            self.runtime.patch(message.id, tuple(route.output for route in message.routes))
        self.worker.receive(CONTROL, message)

    def carry(self, message: Faraway) -> None:
        """From another worker, or about the way to it."""
        other = message.source if isinstance(message, Carried | Torn) else message.worker
        if is_far(other):
            self.worker.receive(CONTROL, message)
        else:
            self._near.far.hear(message)


def _bare(order: StartInstance) -> StartInstance:
    """What has to be known of one that runs already."""
    return msgspec.structs.replace(order, payload=None, state=None, backlog=(), unsent=(), follows=())


def _config(node: Announced) -> WorkerConfig:
    """A node that says nothing of its memory is not asked for any."""
    machine = node.machine
    return WorkerConfig(
        name=node.name,
        memory_mb=max(machine.memory_mb or MEMORY_UNSAID_MB, MEMORY_LEAST_MB),
        cores=max(machine.cores, 1),
        templates=False,
        poll_us=0,
        cut_off_s=0.0,
        labels=(),
    )
