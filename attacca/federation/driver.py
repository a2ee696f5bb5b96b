"""Carries out what the federation core decides: tells domains, keeps where workflows are, answers who asked."""

import asyncio
from collections.abc import Callable
from typing import cast

import msgspec

from attacca.errors import AttaccaError, StateCorrupt
from attacca.federation.core.events import (
    Command,
    DomainLeft,
    Erase,
    Event,
    MigrateAsked,
    Put,
    Record,
    Reply,
    Restored,
    StartAsked,
    StopAsked,
    Stored,
    StoreFailed,
    Tick,
)
from attacca.federation.core.federation import FederationCore
from attacca.federation.core.hosted import LEFT, WORKFLOWS
from attacca.io.exposition import Form
from attacca.io.store.types import Store
from attacca.io.store.writing import Writing
from attacca.kernel.chance import Chance
from attacca.kernel.clock import Clock
from attacca.kernel.drive import Drive, LoopTimer, each, report_refused
from attacca.model.events import InstancesSaid
from attacca.model.federation import DomainView, FromDomain, Left, ToDomain
from attacca.model.messages import Send, ToControl
from attacca.model.workflow import WorkflowSpec, WorkflowView
from attacca.policy.placement.types import Placement


class Federation:
    """A `control.beside.Beside`. `send` takes the name of a domain and what it is told."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        chance: Chance,
        placement: Placement,
        send: Callable[[str, ToDomain], None],
        silent_s: float,
    ) -> None:
        self._store, self._clock, self._send = store, clock, send
        self.core = core = FederationCore(placement, chance, silent_s)
        self._drive: Drive[Event, Command] = Drive(
            core.handle, core.alarm, each(self._perform), clock.now, LoopTimer(clock.now), Tick(), report_refused
        )
        self._asked = 0
        self._replies: dict[str, asyncio.Future[WorkflowView | None]] = {}
        self._writing: Writing[Put | Erase] = Writing(store, _value, self._written)

    def __repr__(self) -> str:
        return f"<Federation {self.core!r}, {len(self._writing)} keys being written>"

    async def open(self) -> None:
        """
        Raises:
            StateCorrupt: what lies in the store is no workflow.
        """
        try:
            records = [msgspec.json.decode(one.value, type=Record) for one in await self._store.scan(WORKFLOWS)]
            left = [
                (entry.key.removeprefix(LEFT).partition("/")[0], msgspec.json.decode(entry.value, type=Left))
                for entry in await self._store.scan(LEFT)
            ]
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise StateCorrupt(f"a workflow in the store cannot be read: {error}", "restore the store") from None
        records.sort(key=lambda one: (one.started_at, one.id))
        self._drive.feed(Restored(tuple(records), tuple(left)))

    async def close(self) -> None:
        self._drive.stop()
        await self._writing.close()

    def metrics(self, form: Form) -> bytes:
        return b""

    def digests(self) -> set[str]:
        return self.core.known.digests()

    def hear(self, message: ToControl) -> bool:
        """See `control.beside.Beside`."""
        if isinstance(message, FromDomain):
            self._drive.feed(message)
            return True
        return isinstance(message, InstancesSaid)

    def lose(self, peer: str) -> None:
        if peer in self.core.domains:
            self._drive.feed(DomainLeft(peer))

    # What is asked for.

    def view(self, workflow: str) -> WorkflowView:
        """
        Raises:
            NotFound: there is none of that id or name, or there are several.
        """
        return self.core.view(workflow)

    def domains(self) -> list[DomainView]:
        """By name."""
        return [self.core.known.domain(name) for name in sorted(self.core.domains)]

    async def start(self, spec: WorkflowSpec) -> WorkflowView:
        """Until it is up in a domain, or parked.

        Raises:
            BadFunction: the code of a component cannot be started; with its traceback.
            StateUnavailable: it cannot be kept.
        """
        number = self._number()
        return cast(WorkflowView, await self._ask(number, StartAsked(number, spec, self._clock.wall())))

    async def stop(self, workflow: str) -> None:
        """Until nothing of it is left, or the domain that has it is given up.

        Raises:
            NotFound: there is none of that id or name, or there are several.
        """
        number = self._number()
        await self._ask(number, StopAsked(number, workflow))

    async def migrate(self, workflow: str, to: tuple[str, ...], component: str = "") -> WorkflowView:
        """Until it is up again; see `core.federation.events.MigrateAsked`.

        Raises:
            NotFound: there is no such workflow, component or domain.
            Conflict: it cannot move now, or is there.
            NoCapacity: no domain of these can have it.
        """
        number = self._number()
        return cast(WorkflowView, await self._ask(number, MigrateAsked(number, workflow, to, component)))

    def _number(self) -> str:
        self._asked += 1
        return str(self._asked)

    async def _ask(self, number: str, event: Event) -> WorkflowView | None:
        reply: asyncio.Future[WorkflowView | None] = asyncio.get_running_loop().create_future()
        self._replies[number] = reply
        self._drive.feed(event)
        return await reply

    # Out.

    def _perform(self, command: Command) -> None:
        match command:
            case Send():
                self._send(command.peer, command.message)
            case Put() | Erase():
                self._writing.add(command)
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
            self._drive.feed(Stored(command.key))


def _value(command: Put | Erase) -> bytes | None:
    return command.value if isinstance(command, Put) else None
