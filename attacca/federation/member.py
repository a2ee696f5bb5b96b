"""A domain's link to its federation: starts and ends there what it is told, and says what it has."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from attacca.errors import AttaccaError
from attacca.federation.code import Code
from attacca.federation.portal import Portal
from attacca.federation.summary import summary
from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.tcp import Dialer
from attacca.model.events import number
from attacca.model.federation import (
    BeginWorkflow,
    DomainJoined,
    DomainSeen,
    DomainSummary,
    EndWorkflow,
    FromDomain,
    Hosted,
    HostedRows,
    Left,
    LeftKept,
    Portals,
    StateCopied,
    StateTaken,
    ToDomain,
    WorkflowBegun,
    WorkflowEnded,
    WorkflowRefused,
)
from attacca.model.invocation import Failed
from attacca.model.messages import Leads
from attacca.model.supplies import AskPiece, AskSecrets, Piece
from attacca.model.workflow import InstanceRow, WorkflowSpec
from attacca.workflow.core.events import HandedOver
from attacca.workflow.core.graph import Part, Workflow, whole
from attacca.workflow.core.keeping import STATES
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
        self._workflows, self._domain, self._url, self.portal = workflows, domain, url, portal
        self._peers: Peers[Said] = Peers()
        self._peers.bind(lambda _: self._join(), lambda _: self._hear, lambda _, __: None)
        self._dialer = dial(lambda: make(self._peers))
        self.code = code(self._say)
        self._begins: dict[str, tuple[int, asyncio.Task[None]]] = {}  # by workflow, with its epoch
        self._ended: dict[tuple[str, int], WorkflowEnded] = {}  # what the federation has not kept yet
        self._copying: dict[str, bool] = {}  # by key of a state that is under way: whether there is a newer one
        self._rows: dict[str, tuple[InstanceRow, ...]] = {}  # as told last
        self._tasks: set[asyncio.Task[None]] = set()
        workflows.kept, workflows.needed, workflows.changed = self._kept, self.code.digests, self._tell

    def __repr__(self) -> str:
        return (
            f"<Member {self._domain}: {len(self._begins)} begin, {len(self._ended)} left, {len(self._copying)} copied>"
        )

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
            case BeginWorkflow():
                self._begin(message)
            case EndWorkflow():
                self._spawn(self._end(message))
            case LeftKept():
                self._ended.pop((message.workflow, message.epoch), None)
            case StateTaken():
                key = f"{STATES}{whole(message.workflow)}/{message.component}"
                if self._copying.pop(key, False):
                    self._kept(key)
            case Portals():
                self.portal.learn(message)
            case Piece():
                self.code.hear(message)
            case Leads():
                pass

    def _begin(self, order: BeginWorkflow) -> None:
        known = self._workflows.core.workflows.get(order.workflow)
        epoch, before = self._begins.get(order.workflow, (0, None))
        if epoch == order.epoch:
            return  # it says how that went
        if known is not None and known.epoch == order.epoch and not known.is_stopping:
            self._say(WorkflowBegun(self._domain, order.workflow, order.epoch, self._shown(known)))
            return
        self._begins[order.workflow] = order.epoch, self._spawn(self._start(order, before))

    async def _start(self, order: BeginWorkflow, before: "asyncio.Task[None] | None") -> None:
        """What was begun `before` is given up."""
        if before is not None:
            before.cancel()
            await asyncio.gather(before, return_exceptions=True)
        said = await self._started(order)
        if self._begins.get(order.workflow, (0, None))[0] == order.epoch:
            del self._begins[order.workflow]
        self._say(said)

    async def _started(self, order: BeginWorkflow) -> WorkflowBegun | WorkflowRefused:
        try:
            if order.workflow in self._workflows.core.workflows:
                await self._workflows.end(order.workflow)
            await self.code.bring(order.spec)
            view = await self._workflows.begin(order)
        except AttaccaError as error:
            failed = Failed(error.code, error.message, error.hint)
            return WorkflowRefused(self._domain, order.workflow, order.epoch, failed)
        return WorkflowBegun(self._domain, order.workflow, order.epoch, view.instances)

    async def _end(self, order: EndWorkflow) -> None:
        """One that is still being brought is ended before it begins."""
        known = self._workflows.core.sharing.holder(order.workflow)
        epoch, begins = self._begins.get(order.workflow, (0, None))
        if known is None and begins is not None and epoch <= order.epoch:
            begins.cancel()
            del self._begins[order.workflow]
        left: tuple[Left, ...] = ()
        if known is not None and known.epoch <= order.epoch:
            try:
                outcome = await self._workflows.end(order.workflow, hands_over=order.hands_over)
            except AttaccaError:  # it has ended meanwhile
                outcome = None
            left = outcome.left if isinstance(outcome, HandedOver) else ()
        ended = WorkflowEnded(self._domain, order.workflow, order.epoch, left)
        if left:
            self._ended[order.workflow, order.epoch] = ended
        self._say(ended)

    # Out.

    def _join(self) -> None:
        self._copying.clear()
        self._rows.clear()
        ours = self._ours()
        hosted = tuple(
            Hosted(one.id, one.epoch, one.id not in self._begins, one.components, one.is_stopping)
            for one in self._workflows.core.workflows.values()
            if one.epoch
        )
        self._say(DomainJoined(self._domain, self._summary(), hosted, tuple(self._ended.values())))
        self.code.ask_again()
        for one in ours:
            self._spawn(self._complete(one.spec))
            for part in one.parts.values():
                if part.state is not None:
                    self._kept(part.key)

    async def _complete(self, spec: WorkflowSpec) -> None:
        """Whoever led the domain before may have had its code alone."""
        try:
            await self.code.bring(spec)
        except AttaccaError:
            return  # its instances say what they lack

    def _kept(self, key: str) -> None:
        """A state is in the store: it is copied, unless the one before is still under way."""
        part = self._workflows.core.books.in_place(key.removeprefix(STATES).replace("/", ".", 1))
        if part is None or not part.workflow.epoch:
            return
        if key in self._copying:
            self._copying[key] = True
            return
        self._copying[key] = False
        self._say(StateCopied(self._domain, part.workflow.id, part.workflow.epoch, self._left(part)))

    def _left(self, part: Part) -> Left:
        return Left(part.label, number(part.instance) if part.instance else part.number, part.version, part.state)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self._tell()

    def _tell(self) -> None:
        rows = {one.id: self._shown(one) for one in self._ours()}
        changed = [HostedRows(name, now) for name, now in rows.items() if self._rows.get(name) != now]
        self._rows = rows
        self._say(DomainSeen(self._domain, self._summary(), tuple(changed)))

    def _ours(self) -> list[Workflow]:
        return [one for one in self._workflows.core.workflows.values() if one.epoch and not one.is_stopping]

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
