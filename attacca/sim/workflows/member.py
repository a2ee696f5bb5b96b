"""One domain of a simulated federation: its orchestrator, what it says to the federation, and its portal."""

from collections.abc import Callable, Iterable

from attacca.errors import AttaccaError
from attacca.federation.core.portal import (
    Across,
    Heard,
    PeerCame,
    PeerLost,
    PortalCore,
    PortalEvent,
    Said,
    WorkerCame,
    WorkerLost,
)
from attacca.federation.summary import summary
from attacca.model.events import Carried, Torn, number
from attacca.model.federation import (
    BeginWorkflow,
    BetweenPortals,
    DomainJoined,
    DomainSeen,
    EndWorkflow,
    FromDomain,
    Hosted,
    HostedRows,
    Left,
    LeftKept,
    OfPlaces,
    Portals,
    StateCopied,
    StateTaken,
    ToDomain,
    WorkflowBegun,
    WorkflowEnded,
    WorkflowRefused,
)
from attacca.model.invocation import Failed
from attacca.model.workflow import InstanceRow, WorkflowView
from attacca.sim.workflows.orchestrator import Orchestrator
from attacca.workflow.core.events import Announce, FarSaid, HandedOver, PortalOpened, StartAsked, StopAsked
from attacca.workflow.core.graph import Part, Workflow, whole
from attacca.workflow.core.keeping import STATES

Outcome = WorkflowView | HandedOver | AttaccaError | None
BEGIN, END, ANEW = "b", "e", "a"  # what was asked for, at the head of its id


class SimulatedMember:
    """As `federation.member` does it. `say` reaches the federation, `across` the portal of another domain."""

    def __init__(
        self,
        name: str,
        orchestrator: Orchestrator,
        say: Callable[[str, FromDomain], None],
        across: Callable[[str, str, BetweenPortals], None],
    ) -> None:
        self.name, self.orchestrator = name, orchestrator
        self._say, self._across = say, across
        orchestrator.replied, orchestrator.kept = self._answered, self._kept
        orchestrator.announced, orchestrator.carried = self._announce, self._carried
        orchestrator.came, orchestrator.went = self._came, self._went
        self.begin()

    def __repr__(self) -> str:
        return f"<SimulatedMember {self.name}: {len(self._begins)} begin, {len(self._ended)} left>"

    def begin(self) -> None:
        """With the orchestrator, which has begun."""
        self.portal = PortalCore(self.orchestrator.core.sharing.is_stale, f"{self.name}/{self.orchestrator.starts}")
        self._begins: dict[str, BeginWorkflow] = {}
        self._ended: dict[tuple[str, int], WorkflowEnded] = {}
        self._copying: dict[str, bool] = {}
        self._rows: dict[str, tuple[InstanceRow, ...]] = {}

    # What the federation says.

    def hear(self, message: ToDomain) -> None:
        match message:
            case BeginWorkflow():
                self._begin(message)
            case EndWorkflow():
                self._end(message)
            case LeftKept():
                self._ended.pop((message.workflow, message.epoch), None)
            case StateTaken():
                key = f"{STATES}{whole(message.workflow)}/{message.component}"
                if self._copying.pop(key, False):
                    self._kept(key)
            case Portals():
                pass  # each knows the others

    def _begin(self, order: BeginWorkflow) -> None:
        known = self._workflows.get(order.workflow)
        before = self._begins.get(order.workflow)
        if before is not None and before.epoch == order.epoch:
            return
        if known is not None and known.epoch == order.epoch and not known.is_stopping:
            self.tell(WorkflowBegun(self.name, order.workflow, order.epoch, known.view().instances))
            return
        self._begins[order.workflow] = order
        if known is not None:
            self.orchestrator.ask(StopAsked(f"{ANEW}:{order.workflow}:{order.epoch}", order.workflow))
        else:
            self._start(order)

    def _start(self, order: BeginWorkflow) -> None:
        id_ = f"{BEGIN}:{order.workflow}:{order.epoch}"
        self.orchestrator.ask(
            StartAsked(id_, order.spec, order.at, order.workflow, order.epoch, order.left, order.components, order.lost)
        )

    def _end(self, order: EndWorkflow) -> None:
        known = self.orchestrator.core.sharing.holder(order.workflow)
        if known is None or known.epoch > order.epoch:
            self._has_ended(order.workflow, order.epoch, None)
        else:
            id_ = f"{END}:{order.workflow}:{order.epoch}"
            self.orchestrator.ask(StopAsked(id_, order.workflow, order.hands_over))

    def _answered(self, id_: str, outcome: Outcome) -> None:
        what, name, epoch = id_.split(":")
        if what == END:
            self._has_ended(name, int(epoch), outcome)
        elif what == ANEW:
            order = self._begins.get(name)
            if order is not None and order.epoch == int(epoch):
                self._start(order)
        else:
            self._has_begun(name, int(epoch), outcome)

    def _has_begun(self, name: str, epoch: int, outcome: Outcome) -> None:
        order = self._begins.get(name)
        if order is not None and order.epoch == epoch:
            del self._begins[name]
        if isinstance(outcome, WorkflowView):
            self.tell(WorkflowBegun(self.name, name, epoch, outcome.instances))
        else:
            assert isinstance(outcome, AttaccaError), "it is up, or it is not"
            failed = Failed(outcome.code, outcome.message, outcome.hint)
            self.tell(WorkflowRefused(self.name, name, epoch, failed))

    def _has_ended(self, name: str, epoch: int, outcome: Outcome) -> None:
        left = outcome.left if isinstance(outcome, HandedOver) else ()
        ended = WorkflowEnded(self.name, name, epoch, left)
        if left:
            self._ended[name, epoch] = ended
        self.tell(ended)

    # What it says.

    def tell(self, message: FromDomain) -> None:
        self._say(self.name, message)

    def join(self) -> None:
        self._copying.clear()
        self._rows.clear()
        ours = self._ours()
        hosted = tuple(
            Hosted(one.id, one.epoch, one.id not in self._begins, one.components, one.is_stopping)
            for one in self._workflows.values()
            if one.epoch
        )
        told = summary(self.orchestrator.core.nodes, (), "", self.name)
        self.tell(DomainJoined(self.name, told, hosted, tuple(self._ended.values())))
        for part in [part for one in ours for part in one.parts.values() if part.state is not None]:
            self._kept(part.key)

    def beat(self) -> None:
        rows = {one.id: one.view().instances for one in self._ours()}
        changed = tuple(HostedRows(name, now) for name, now in rows.items() if self._rows.get(name) != now)
        self._rows = rows
        self.tell(DomainSeen(self.name, summary(self.orchestrator.core.nodes, (), "", self.name), changed))

    def _kept(self, key: str) -> None:
        part = self.orchestrator.core.books.in_place(key.removeprefix(STATES).replace("/", ".", 1))
        if part is None or not part.workflow.epoch:
            return
        if key in self._copying:
            self._copying[key] = True
            return
        self._copying[key] = False
        self.tell(StateCopied(self.name, part.workflow.id, part.workflow.epoch, _left(part)))

    @property
    def _workflows(self) -> dict[str, Workflow]:
        return self.orchestrator.core.workflows

    def _ours(self) -> Iterable[Workflow]:
        return [one for one in self._workflows.values() if one.epoch and not one.is_stopping]

    # Its portal.

    def _announce(self, command: Announce) -> None:
        for domain in (command.domain,) if command.domain else tuple(self.portal.peers):
            self._across(self.name, domain, command.message)

    def _carried(self, message: Carried | Torn) -> None:
        self._pass(Said(message))

    def _came(self, node: str) -> None:
        self._pass(WorkerCame(node))

    def _went(self, node: str) -> None:
        self._pass(WorkerLost(node))

    def peer_came(self, domain: str) -> None:
        self._pass(PeerCame(domain))
        self.orchestrator.drive.feed(PortalOpened(domain))

    def peer_lost(self, domain: str) -> None:
        self._pass(PeerLost(domain))

    def hear_portal(self, domain: str, message: BetweenPortals) -> None:
        if isinstance(message, OfPlaces):
            self.orchestrator.drive.feed(FarSaid(domain, message))
        else:
            self._pass(Heard(domain, message))

    def _pass(self, event: PortalEvent) -> None:
        for command in self.portal.handle(event):
            if isinstance(command, Across):
                self._across(self.name, command.domain, command.message)
            else:
                self.orchestrator.send(command.peer, command.message)


def _left(part: Part) -> Left:
    return Left(part.label, number(part.instance) if part.instance else part.number, part.version, part.state)
