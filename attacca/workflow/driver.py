"""Carries out what the domain core decides: tells workers, keeps workflows and states, answers who asked."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

import msgspec

from attacca.errors import AttaccaError, Conflict, NotFound, StateCorrupt
from attacca.io.exposition import Form
from attacca.io.store.types import Store
from attacca.io.store.writing import Writing
from attacca.kernel.chance import Chance
from attacca.kernel.clock import Clock
from attacca.kernel.drive import Drive, LoopTimer, each, report_refused
from attacca.model.doors import Doors, DoorsKnown
from attacca.model.events import (
    Carried,
    Faraway,
    Handed,
    InstanceDown,
    Instances,
    InstanceUp,
    NodeGone,
    OfInstances,
    Samples,
    StateSynced,
    Strayed,
    Torn,
)
from attacca.model.events import Event as Sent
from attacca.model.federation import BeginWorkflow, FromDomain
from attacca.model.messages import GatewayJoined, GatewayLeft, Heartbeat, Send, ToControl, WorkerJoined
from attacca.model.workflow import WorkflowSpec, WorkflowView
from attacca.policy.placement.types import Placement
from attacca.workflow.core import doors
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import (
    Announce,
    Before,
    Erase,
    Erased,
    Event,
    FarSaid,
    HandedOver,
    LeftTaken,
    MigrateAsked,
    NodeJoined,
    NodeLeft,
    NodeSeen,
    PortalOpened,
    Put,
    Record,
    Reply,
    Restored,
    StartAsked,
    StateRecord,
    StopAsked,
    Stored,
    StoreFailed,
    Tick,
)
from attacca.workflow.core.keeping import NODES, STATES, WORKFLOWS
from attacca.workflow.delegation import Delegation
from attacca.workflow.metrics import render
from attacca.workflow.resources import RESOURCES
from attacca.workflow.telemetry import Telemetry


class Attendant(Protocol):
    """Who sees the domain from outside."""

    def open(self) -> "Awaitable[None] | None": ...
    async def close(self) -> None: ...


class Door(Protocol):
    """To other domains: see `federation.portal.Portal`."""

    def carry(self, message: Carried | Torn) -> None: ...
    def came(self, worker: str) -> None: ...
    def lost(self, worker: str) -> None: ...
    def announce(self, command: Announce) -> None: ...


class NoDoor:
    """Where there are none."""

    def __repr__(self) -> str:
        return "<NoDoor>"

    def carry(self, message: Carried | Torn) -> None: ...
    def came(self, worker: str) -> None: ...
    def lost(self, worker: str) -> None: ...
    def announce(self, command: Announce) -> None: ...


class Workflows:
    """Of one domain. `send` takes the name of a worker and what it is told."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        chance: Chance,
        placement: Placement,
        send: Callable[[str, OfInstances | Doors | Faraway], None],
        named: Callable[[frozenset[str]], None],
        domain: str,
        cordon: Callable[[str, bool], Awaitable[None]],
        silent_s: float,
    ) -> None:
        """`send` reaches gateways as well. `named` hears by which names their event functions write into the log,
        whenever that changes. `domain`: what it is called. `cordon` has a node given nothing new, or again, and
        answers when that is kept. `silent_s`: a gateway that has not said for so
        long that it knows where workflows are asked is not waited for."""
        self._store, self._clock, self._send, self._named = store, clock, send, named
        self.core = core = DomainCore(placement, chance)
        self._doors = doors.Doors(core, silent_s)
        self.telemetry = Telemetry()
        self.delegation = Delegation(
            core, self.telemetry.views, domain, RESOURCES, self.migrate, self.cordon,
            run=f"{int(clock.wall() * 1e3):x}",
        )  # fmt: skip
        self._cordon = cordon
        self.attendants: list[Attendant] = []  # opened when it is, and closed before
        self.kept: Callable[[str], None] = _nothing  # hears of each key of a state that is durable
        self.needed: Callable[[], set[str]] = set  # digests of what will be needed soon
        self.changed: Callable[[], None] = lambda: None  # hears that a node has come or gone
        self._drive: Drive[doors.Heard, doors.Said] = Drive(
            self._doors.handle,
            self._doors.alarm,
            each(self._perform),
            clock.now,
            LoopTimer(clock.now),
            Tick(),
            report_refused,
        )
        self._asked = 0
        self._replies: dict[str, asyncio.Future[WorkflowView | HandedOver | None]] = {}
        self._writing: Writing[Put | Erase] = Writing(store, _value, self._written)
        self.portal: Door = NoDoor()

    def __repr__(self) -> str:
        return f"<Workflows {self.core!r}, {len(self._writing)} keys being written>"

    async def open(self) -> None:
        """
        Raises:
            StateCorrupt: what lies in the store is no workflow.
        """
        try:
            records = [
                (msgspec.json.decode(entry.value, type=Record), entry.version)
                for entry in await self._store.scan(WORKFLOWS)
            ]
            states = [
                (msgspec.json.decode(entry.value, type=StateRecord), entry.version)
                for entry in await self._store.scan(STATES)
            ]
            kept = await self._store.get(NODES)
            before = None if kept is None else msgspec.json.decode(kept.value, type=Before)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise StateCorrupt(f"a workflow in the store cannot be read: {error}", "restore the store") from None
        self._drive.feed(Restored(tuple(records), tuple(states), before))
        self._named(self.core.books.names())
        for one in self.attendants:
            opening = one.open()
            if opening is not None:
                await opening

    async def close(self) -> None:
        for one in self.attendants:
            await one.close()
        self.delegation.close()
        self._drive.stop()
        await self._writing.close()

    def metrics(self, form: Form) -> bytes:
        """What the metrics page has of it, without an end."""
        return render(self.delegation.counts, form)

    def digests(self) -> set[str]:
        return self.core.books.digests() | self.needed()

    # What workers say.

    def hear(self, message: ToControl) -> bool:
        """See `control.beside.Beside`."""
        match message:
            case InstanceUp() | InstanceDown() | StateSynced() | Instances() | Strayed() | Handed():
                self._drive.feed(message)
                if isinstance(message, InstanceDown):
                    self.telemetry.forget(message.id)
                return True
            case Samples():
                self.telemetry.hear(message)
                return True
            case Carried() | Torn():
                self.portal.carry(message)
                return True
            case _ if isinstance(message, FromDomain):
                return True  # of others, which it does not lead
            case GatewayJoined():
                self._drive.feed(message)
            case DoorsKnown():
                self._drive.feed(message)
                return True
            case WorkerJoined():
                self.delegation.see(message.view)
                self._drive.feed(NodeJoined(message.view, message.address, message.machine))
                self.portal.came(message.view.name)
                self.changed()
            case Heartbeat():
                self.delegation.see(message.view)
                self._drive.feed(NodeSeen(message.view))
            case _:
                pass
        return False

    def lose(self, worker: str) -> None:
        self._drive.feed(GatewayLeft(worker))
        self.delegation.lose(worker)
        if worker in self.core.nodes.by_name:
            self._drive.feed(NodeLeft(worker))
            self.portal.lost(worker)
            self.changed()
            self.telemetry.lose(worker)

    # What other domains say, and are told.

    def tell(self, event: FarSaid | PortalOpened) -> None:
        self._drive.feed(event)

    def say(self, worker: str, message: Faraway | NodeGone) -> None:
        self._send(worker, message)

    # What is asked for.

    def view(self, workflow: str) -> WorkflowView:
        """
        Raises:
            NotFound: there is none of that id or name, or there are several.
        """
        return self.telemetry.shown(self.core.view(workflow))

    async def start(self, spec: WorkflowSpec) -> WorkflowView:
        """Until all of it is up.

        Raises:
            BadFunction: the code of a component cannot be started; with its traceback.
            NoCapacity: no node could ever have one of them.
            StateUnavailable: it cannot be kept.
        """
        number = self._number()
        return cast(WorkflowView, await self._ask(number, StartAsked(number, spec, self._clock.wall())))

    async def stop(self, workflow: str) -> None:
        """Until nothing of it is left.

        Raises:
            NotFound: there is none of that id or name, or there are several.
            Conflict: it is of the federation.
        """
        if self.core.books.expect(workflow).epoch:
            raise Conflict(f"{workflow} was started by the federation, which would start it again", "stop it there")
        await self.end(workflow)

    async def begin(self, order: BeginWorkflow) -> WorkflowView:
        """As `start`, for the federation."""
        number = self._number()
        asked = StartAsked(
            number, order.spec, order.at, order.workflow, order.epoch, order.left, order.components, order.lost
        )
        return cast(WorkflowView, await self._ask(number, asked))

    async def end(self, workflow: str, *, hands_over: bool = False) -> HandedOver | None:
        """Until nothing of it is left here.

        Raises:
            NotFound: there is none of that id or name, or there are several.
        """
        number = self._number()
        outcome = await self._ask(number, StopAsked(number, workflow, hands_over))
        return outcome if isinstance(outcome, HandedOver) else None

    def let(self, workflow: str, epoch: int) -> None:
        """What it left here in that epoch is kept elsewhere."""
        self._drive.feed(LeftTaken(workflow, epoch))

    def cast(self, instance: str, data: bytes) -> None:
        """From nobody of the workflow, to an instance or who has its place by then: it comes behind what waits there.

        Raises:
            NotFound: there is no such instance.
        """
        part = self.core.books.parts.get(instance)
        if part is None:
            raise NotFound(f"there is no instance {instance[:80]!r}", "attacca workflow inspect --json has their names")
        sent = Sent(instance, f"{instance}@{part.worker}", data)
        self._drive.feed(Strayed(part.worker, sent))

    async def cordon(self, node: str, is_on: bool) -> None:  # noqa: FBT001 - as it is told
        """Until that is kept.

        Raises:
            NotFound: there is no such node.
        """
        await self._cordon(node, is_on)
        view = self.delegation.views.get(node)
        if view is not None:  # which it says itself with its next heartbeat; what is asked next is to know it
            self._drive.feed(NodeSeen(msgspec.structs.replace(view, draining=is_on)))

    async def migrate(self, workflow: str, component: str, to: tuple[str, ...]) -> WorkflowView:
        """Until what moves is up again; see `core.events.MigrateAsked`.

        Raises:
            NotFound: there is no such workflow, component or node.
            Conflict: it cannot move now, or is there.
            NoCapacity: no node of these can have it.
        """
        number = self._number()
        return cast(WorkflowView, await self._ask(number, MigrateAsked(number, workflow, component, to)))

    def _number(self) -> str:
        self._asked += 1
        return str(self._asked)

    async def _ask(self, number: str, event: Event) -> WorkflowView | HandedOver | None:
        reply: asyncio.Future[WorkflowView | HandedOver | None] = asyncio.get_running_loop().create_future()
        self._replies[number] = reply
        self._drive.feed(event)
        return await reply

    # Out.

    def _perform(self, command: doors.Said) -> None:
        match command:
            case Send():
                self._send(command.peer, command.message)
            case Put() | Erase():
                if command.key.startswith(WORKFLOWS):
                    self._named(self.core.books.names())
                self._writing.add(command)
            case Announce():
                self.portal.announce(command)
            case Reply():
                waiting_for = self._replies.pop(command.id, None)
                if waiting_for is None or waiting_for.done():
                    return
                if isinstance(command.outcome, AttaccaError):
                    waiting_for.set_exception(command.outcome)
                else:
                    waiting_for.set_result(command.outcome)

    def _written(self, command: Put | Erase, told: int | AttaccaError) -> None:
        if isinstance(told, AttaccaError):
            self._drive.feed(StoreFailed(command.key, told, isinstance(command, Erase)))
        elif isinstance(command, Put):
            self._drive.feed(Stored(command.key, told))
            if command.key.startswith(STATES):
                self.kept(command.key)
        else:
            self._drive.feed(Erased(command.key))
            if command.key.startswith(WORKFLOWS):
                self._named(self.core.books.names())


def _value(command: Put | Erase) -> bytes | None:
    return command.value if isinstance(command, Put) else None


def _nothing(_: str) -> None:
    """Where it is of no federation."""
