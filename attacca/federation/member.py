"""A domain's link to its federation: starts and ends there what it is told, and says what it has."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from attacca.errors import AttaccaError
from attacca.federation.code import Code
from attacca.federation.core.member import (
    Beat,
    Begin,
    Begun,
    Bring,
    Brought,
    Drop,
    Durable,
    End,
    Joined,
    Let,
    MemberCommand,
    MemberCore,
    MemberEvent,
    Over,
    Say,
)
from attacca.federation.portal import Portal
from attacca.federation.summary import summary
from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.tcp import Dialer
from attacca.model.federation import (
    BeginWorkflow,
    DomainSummary,
    EndWorkflow,
    FromDomain,
    LeftKept,
    Portals,
    StateTaken,
    ToDomain,
)
from attacca.model.messages import Leads
from attacca.model.supplies import AskPiece, AskSecrets, Piece
from attacca.model.workflow import InstanceRow, WorkflowSpec, WorkflowView
from attacca.workflow.core.events import HandedOver
from attacca.workflow.core.graph import Workflow
from attacca.workflow.driver import Workflows
from attacca.workflow.resources import RESOURCES

FEDERATION = "control"  # its name on the link
EVERY_S = 0.5
ENDS = "the domain ends"
Told = ToDomain | Piece | Leads
Said = FromDomain | AskPiece | AskSecrets


class Member:
    """A `driver.Attendant` of a domain of this name. `dial` makes the link, given who makes each connection of it."""

    def __init__(
        self,
        workflows: Workflows,
        domain: str,
        make: Callable[[Peers[Said]], StreamLink],
        dial: Callable[[Callable[[], StreamLink]], Dialer],
        code: Callable[[Callable[[AskPiece | AskSecrets], None]], Code],
        url: Callable[[], str],
        portal: Portal,
    ) -> None:
        self._workflows, self._url, self.portal = workflows, url, portal
        self._peers: Peers[Said] = Peers()
        self._peers.bind(lambda _: self._join(), lambda _: self._hear, lambda _, __: None)
        self._dialer = dial(lambda: make(self._peers))
        self.code = code(self._say)
        self.core = MemberCore(domain, workflows.core, self._shown, self._summary)
        self._bringing: dict[str, asyncio.Task[None]] = {}  # by workflow
        self._tasks: set[asyncio.Task[None]] = set()
        workflows.kept, workflows.needed, workflows.changed = self._kept, self.code.digests, self._tell

    def __repr__(self) -> str:
        return f"<Member {self.core!r}, {len(self._tasks)} tasks>"

    async def open(self) -> None:
        await self.portal.open()
        self._spawn(self._beat())
        self._dialer.open()

    async def close(self) -> None:
        await self._dialer.close(ENDS)
        await self.portal.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.code.close()

    # In.

    def _hear(self, message: Told) -> None:
        match message:
            case BeginWorkflow() | EndWorkflow() | LeftKept() | StateTaken():
                self._feed(message)
            case Portals():
                self.portal.learn(message)
            case Piece():
                self.code.hear(message)
            case Leads():
                pass

    def _feed(self, event: MemberEvent) -> None:
        for command in self.core.handle(event):
            self._perform(command)

    def _perform(self, command: MemberCommand) -> None:
        match command:
            case Say():
                self._say(command.message)
            case Bring():
                self._drop(command.order.workflow)
                self._bringing[command.order.workflow] = self._spawn(self._bring(command.order))
            case Drop():
                self._drop(command.workflow)
            case Begin():
                self._spawn(self._begin(command.order))
            case End():
                self._spawn(self._end(command))
            case Let():
                self._workflows.let(command.workflow, command.epoch)

    def _drop(self, workflow: str) -> None:
        task = self._bringing.pop(workflow, None)
        if task is not None:
            task.cancel()

    async def _bring(self, order: BeginWorkflow) -> None:
        error: AttaccaError | None = None
        try:
            await self.code.bring(order.spec)
        except AttaccaError as failed:
            error = failed
        self._bringing.pop(order.workflow, None)
        self._feed(Brought(order, error))

    async def _begin(self, order: BeginWorkflow) -> None:
        outcome: WorkflowView | AttaccaError
        try:
            outcome = await self._workflows.begin(order)
        except AttaccaError as error:
            outcome = error
        self._feed(Begun(order, outcome))

    async def _end(self, command: End) -> None:
        outcome: HandedOver | None = None
        with contextlib.suppress(AttaccaError):  # it has ended meanwhile
            outcome = await self._workflows.end(command.workflow, hands_over=command.hands_over)
        self._feed(Over(command, outcome))

    # Out.

    def _join(self) -> None:
        self._feed(Joined())
        self.code.ask_again()
        for one in self.core.ours:
            self._spawn(self._complete(one.spec))

    async def _complete(self, spec: WorkflowSpec) -> None:
        """Whoever led the domain before may have had its code alone."""
        with contextlib.suppress(AttaccaError):  # its instances say what they lack
            await self.code.bring(spec)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self._tell()

    def _tell(self) -> None:
        self._feed(Beat())

    def _kept(self, key: str) -> None:
        self._feed(Durable(key))

    def _shown(self, workflow: Workflow) -> tuple[InstanceRow, ...]:
        return self._workflows.telemetry.shown(workflow.view()).instances

    def _summary(self) -> DomainSummary:
        return summary(self._workflows.core.nodes, RESOURCES, self._url(), self.portal.address)

    def _say(self, message: Said) -> None:
        self._peers.send(FEDERATION, message)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
