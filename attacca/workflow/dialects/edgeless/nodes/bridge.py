"""The nodes of EDGELESS that have joined a domain. To its orchestrator and to its workers each is a worker.

    orchestrator ──▶ StartInstance, ... ──▶ a worker's core, here ──▶ its runtime ──▶ the node's agent
    worker ──▶ Carried, through control ──▶ its mailboxes, here   ──▶               ──▶ the node's data plane

So all that holds of instances holds here: what waits for one is kept until it is handled, and goes to where its next
instance is when the node is gone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from attacca.errors import AttaccaError, NotFound
from attacca.io.store.types import Store
from attacca.kernel.clock import Clock
from attacca.kernel.rand import Streams
from attacca.model.doors import Doors
from attacca.model.events import Carried, Faraway, OfInstances, Reached, Samples, Torn
from attacca.model.messages import Cordon, Logged
from attacca.workflow.core.events import Announce
from attacca.workflow.dialects.edgeless.nodes.agent import Agent
from attacca.workflow.dialects.edgeless.nodes.announced import NAMED, Announced, samples
from attacca.workflow.dialects.edgeless.nodes.hosted import CONTROL, Hosted
from attacca.workflow.dialects.edgeless.nodes.register import Join, Leave, Register
from attacca.workflow.dialects.edgeless.nodes.shelf import Kept, Shelf, is_whole
from attacca.workflow.dialects.edgeless.nodes.speech import Said, peer
from attacca.workflow.driver import Door, Workflows

LOG = logging.getLogger("attacca.edgeless")
FORGET_S = 120.0  # after a beginning, until what nodes hosted is forgotten that have not come back
EVERY_S = 0.25  # between two looks for who has not been heard of in time
DIAL_S = 0.25
Told = OfInstances | Doors | Faraway


def is_guest(worker: str) -> bool:
    return worker.startswith(NAMED)


class Bridge:
    """A `workflow.driver.Attendant`, and a `Door` before the one to other domains. `code`: where modules are; `listen`
    begins to hear nodes, and answers with the address under which they reach us."""

    def __init__(
        self,
        workflows: Workflows,
        clock: Clock,
        streams: Streams,
        code: Callable[[], Path],
        log: Callable[[Logged], None],
        listen: Callable[["Bridge"], Awaitable[str]],
        close: Callable[[], Awaitable[None]],
        store: Store,
    ) -> None:
        self._workflows, self._clock, self._streams = workflows, clock, streams
        self._code, self._log, self._listen, self._close = code, log, listen, close
        self._shelf = Shelf(store)
        self.id = ""  # of the node that we are to them
        self._unheard: set[str] = set()  # nodes that hosted something for who was here before
        self._forget_at = 0.0  # them
        self.register = Register()
        self.hosted: dict[str, Hosted] = {}
        self._own: dict[str, None] = {}  # workers that are none of these
        self._outer: Door = workflows.portal
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by node: what is being done about it
        self._looking: asyncio.Task[None] | None = None
        self._url = ""

    def __repr__(self) -> str:
        return f"<Bridge to {len(self.hosted)} of {self.register!r}>"

    async def open(self) -> None:
        """
        Raises:
            BadConfig: nothing can listen there.
            StateUnavailable: the store cannot be had.
        """
        self.id, self._unheard = await self._shelf.identity(), await self._shelf.nodes()
        self._forget_at = self._clock.now() + FORGET_S
        self._outer, self._workflows.portal = self._workflows.portal, self
        self._url = await self._listen(self)
        self._looking = asyncio.get_running_loop().create_task(self._look())

    async def close(self) -> None:
        await self._close()
        tasks = [*self._tasks.values(), *([self._looking] if self._looking is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(one.end() for one in self.hosted.values()))
        self.hosted.clear()

    # What nodes say.

    def refresh(self, told: Announced) -> None:
        """
        Raises:
            Full: one more would be too many.
        """
        for command in self.register.hear(self._clock.now(), told):
            self._obey(command)
        known = self.hosted.get(told.name)
        if known is not None:
            known.measured(told.load)

    def measured(self, told: Announced, message: Any) -> None:
        known = self.hosted.get(told.name)
        if known is not None:
            taken, entries, lost = samples(message, known.runtime.instances)
            if taken or entries:
                self._workflows.hear(Samples(told.name, samples=taken, entries=entries, lost=lost))

    def hear(self, said: Said) -> None:
        """
        Raises:
            NotFound: it is for another node.
        """
        if said.to_node != self.id:
            raise NotFound(f"this is not the node {said.to_node[:80]!r}", "")
        known = self.hosted.get(f"{NAMED}{said.node}")
        if known is not None:
            known.runtime.hear(said)

    async def _look(self) -> None:
        """For those that have not been heard of in time."""
        while True:
            await asyncio.sleep(EVERY_S)
            for command in self.register.expire(self._clock.now()):
                self._obey(command)
            for late in self.register.late(self._clock.now()):
                if not await listens(late.agent) and self._is_late(late):
                    self._obey(self.register.leave(late.name, "nothing listens there any more"))
            if self._unheard and self._clock.now() >= self._forget_at:
                await self._clear(self._unheard.pop())

    def _is_late(self, late: Announced) -> bool:
        """Still, and it is no newer one."""
        now = self.register.late(self._clock.now())
        return any((one.name, one.nonce) == (late.name, late.nonce) for one in now)

    def _obey(self, command: Join | Leave) -> None:
        """One after the other, for one node."""
        name = command.name if isinstance(command, Leave) else command.node.name
        before = self._tasks.get(name)
        task = asyncio.get_running_loop().create_task(self._obeyed(command, before))
        self._tasks[name] = task
        task.add_done_callback(lambda task: self._tasks.pop(name) if self._tasks.get(name) is task else None)
        if isinstance(command, Leave):
            self._leave(command)

    async def _obeyed(self, command: Join | Leave, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await asyncio.wait([before])
        if isinstance(command, Join):
            await self._join(command.node)
        elif (known := self.hosted.pop(command.name, None)) is not None:
            await known.end()
            await self._clear(command.name.removeprefix(NAMED))

    def _leave(self, command: Leave) -> None:
        known = self.hosted.get(command.name)
        if known is not None and not known.is_lost:
            LOG.warning("node %s is given up: %s", command.name, command.why)
            known.is_lost = True
            self._workflows.lose(command.name)

    async def _clear(self, node: str) -> None:
        try:
            await self._shelf.clear(node)
        except AttaccaError as error:
            LOG.warning("what node %s had is kept still: %s", node, error.message)

    async def _hosts(self, agent: Agent, node: Announced) -> list[Kept]:
        """What goes on there. All else that it may host was somebody else's."""
        hosts = await self._shelf.of(node.id)
        if not is_whole(hosts, node.nonce):
            await agent.reset()
            await self._shelf.clear(node.id)
            hosts = []
        await agent.add_peer(peer(self.id, self._url))
        return hosts

    async def _join(self, node: Announced) -> None:
        agent = Agent(node.agent, node.invocation)
        self._unheard.discard(node.id)
        try:
            hosts = await self._hosts(agent, node)
        except AttaccaError as error:
            LOG.warning("node %s cannot join: %s", node.name, error.message)
            self.register.forget(node.name)  # it says again that it is there
            await agent.close()
            return
        streams = self._streams
        known = Hosted(node, self.id, agent, self._code, self._clock, streams, self._hear, self._log, self._shelf)
        self.hosted[node.name] = known
        try:
            await known.open(hosts)
        except TimeoutError:
            LOG.warning("node %s cannot go on with what it hosts, and is to forget it", node.name)
            del self.hosted[node.name]
            self.register.forget(node.name)
            await known.end()
            await self._clear(node.id)
            return
        LOG.info("node %s has joined, with %d instances", node.name, len(hosts))

    # Between the orchestrator, workers and nodes.

    def tell(self, worker: str, message: Told) -> None:
        """By the orchestrator."""
        asyncio.get_running_loop().call_soon(self._tell, worker, message)

    def _tell(self, worker: str, message: Told) -> None:
        known = self.hosted.get(worker)
        if known is not None and not known.is_lost and not isinstance(message, Doors):
            known.receive(message)

    def _hear(self, known: Hosted, message: Any) -> None:
        """What the core of one says to control."""
        asyncio.get_running_loop().call_soon(self._heard, known, message)

    def _heard(self, known: Hosted, message: Any) -> None:
        if not known.is_lost:
            self._workflows.hear(message)

    async def cordon(self, node: str, is_on: bool) -> None:  # noqa: FBT001 - as it is told
        """Until the node joins anew.

        Raises:
            NotFound: it is not here.
        """
        known = self.hosted.get(node)
        if known is None or known.is_lost:
            raise NotFound(f"there is no node {node[:80]!r}", "attacca node list shows which there are")
        known.worker.receive(CONTROL, Cordon(node, is_on))

    # As a door.

    def carry(self, message: Carried | Torn) -> None:
        known = self.hosted.get(message.to)
        if known is not None:
            if not known.is_lost:
                known.carry(message)
        elif message.to in self._own:
            self._workflows.say(message.to, message)
        elif not is_guest(message.to):
            self._outer.carry(message)

    def came(self, worker: str) -> None:
        """What was on its way to and from it may be lost."""
        if not is_guest(worker):
            self._own[worker] = None
        for name in (*self._own, *self.hosted):
            if name != worker and (is_guest(name) or is_guest(worker)):
                self._say(name, Reached(worker))
                self._say(worker, Reached(name))
        self._outer.came(worker)

    def _say(self, worker: str, message: Reached) -> None:
        known = self.hosted.get(worker)
        if known is None:
            self._workflows.say(worker, message)
        elif not known.is_lost:
            known.carry(message)

    def lost(self, worker: str) -> None:
        self._own.pop(worker, None)
        self._outer.lost(worker)

    def announce(self, command: Announce) -> None:
        self._outer.announce(command)


async def listens(where: str) -> bool:
    """Does anybody, at HOST:PORT?"""
    host, _, port = where.rpartition(":")
    try:
        async with asyncio.timeout(DIAL_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except ConnectionError:
        return False
    except (TimeoutError, OSError):
        return True  # it is not known
    writer.close()
    return True
