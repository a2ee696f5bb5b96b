"""One node of EDGELESS as a worker: the core that all have, on a runtime that is the node."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attacca.errors import AttaccaError
from attacca.kernel.clock import Clock
from attacca.kernel.rand import Streams
from attacca.model.events import (
    BeginInstance,
    BetweenInstances,
    Carried,
    Faraway,
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

CONTROL = "control"
MEMORY_LEAST_MB, MEMORY_UNSAID_MB = 32, 1 << 20
RESET_S = 2.0
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
    ) -> None:
        self.name, self.is_lost = node.name, False
        self._measuring = Measuring()
        self._measuring.load = node.load
        self._agent = agent
        addresses = Addresses(drawn)
        self.runtime = NodeRuntime(node.id, here, agent, addresses, code, clock)

        def send(_: str, message: Any) -> None:
            hear(self, message)

        self.worker = Worker(_config(node), self.runtime, clock, streams, send, log, measuring=self._measuring)
        self.worker.core.machine = node.machine
        self._near = Near(
            Far(node.name, self.worker.hear_neighbour, self.worker.neighbour_joined, lambda told: hear(self, told))
        )
        self.worker.around = self._near

    def __repr__(self) -> str:
        return f"<Hosted {self.name}{', lost' * self.is_lost}: {self.runtime!r}>"

    async def open(self) -> None:
        await self.worker.open()
        self.worker.join(CONTROL)

    async def end(self, *, is_there: bool) -> None:
        """`is_there`: so that it can be told."""
        self.is_lost = True
        await self.worker.close()
        if is_there:
            try:
                async with asyncio.timeout(RESET_S):
                    await self._agent.reset()
            except (AttaccaError, TimeoutError):
                pass  # it is gone
        await self._agent.close()

    def measured(self, load: MachineLoad) -> None:
        self._measuring.load = load

    def receive(self, message: OfInstances | Faraway) -> None:
        if isinstance(message, Carried | Torn):
            self.carry(message)
            return
        if isinstance(message, StartInstance):
            self.runtime.expect(message.id, message.workflow, tuple(route.output for route in message.routes))
        elif isinstance(message, Patch | BeginInstance):
            self.runtime.patch(message.id, tuple(route.output for route in message.routes))
        self.worker.receive(CONTROL, message)

    def carry(self, message: Faraway) -> None:
        """From another worker, or about the way to it."""
        other = message.source if isinstance(message, Carried | Torn) else message.worker
        if is_far(other):
            self.worker.receive(CONTROL, message)
        else:
            self._near.far.hear(message)


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
