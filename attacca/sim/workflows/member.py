"""One domain of a simulated federation: its orchestrator, what it says to the federation, and its portal."""

from collections.abc import Callable

from attacca.errors import AttaccaError
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
from attacca.model.events import Carried, Torn
from attacca.model.federation import BetweenPortals, FromDomain, OfPlaces, Portals, ToDomain
from attacca.model.workflow import WorkflowView
from attacca.sim.workflows.orchestrator import Orchestrator
from attacca.workflow.core.events import (
    Announce,
    FarSaid,
    HandedOver,
    LeftTaken,
    PortalOpened,
    StartAsked,
    StopAsked,
)

Outcome = WorkflowView | HandedOver | AttaccaError | None


class SimulatedMember:
    """`say` reaches the federation, `across` the portal of another domain."""

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
        return f"<SimulatedMember {self.core!r}, {len(self._open)} asked>"

    def begin(self) -> None:
        """With the orchestrator, which has begun."""
        self.portal = PortalCore(self.orchestrator.core.sharing.is_stale, f"{self.name}/{self.orchestrator.starts}")
        domain = self.orchestrator.core
        self.core = MemberCore(
            self.name, domain, lambda one: one.view().instances, lambda: summary(domain.nodes, (), "", self.name)
        )
        self._open: dict[str, Begin | End] = {}  # what was asked for, by its id
        self._count = 0

    # Between the federation and the orchestrator.

    def hear(self, message: ToDomain) -> None:
        if not isinstance(message, Portals):  # each knows the others
            self._feed(message)

    def join(self) -> None:
        self._feed(Joined())

    def beat(self) -> None:
        self._feed(Beat())

    def _kept(self, key: str) -> None:
        self._feed(Durable(key))

    def _feed(self, event: MemberEvent) -> None:
        for command in self.core.handle(event):
            self._perform(command)

    def _perform(self, command: MemberCommand) -> None:
        match command:
            case Say():
                self._say(self.name, command.message)
            case Bring():
                self._feed(Brought(command.order))  # there is no code
            case Drop():
                pass
            case Begin():
                id_, order = self._asked(command), command.order
                place = order.workflow, order.epoch
                asked = StartAsked(id_, order.spec, order.at, *place, order.left, order.components, order.lost)
                self.orchestrator.ask(asked)
            case End():
                self.orchestrator.ask(StopAsked(self._asked(command), command.workflow, command.hands_over))
            case Let():
                self.orchestrator.drive.feed(LeftTaken(command.workflow, command.epoch))

    def _asked(self, command: Begin | End) -> str:
        self._count += 1
        id_ = f"{self.orchestrator.starts}:{self._count}"
        self._open[id_] = command
        return id_

    def _answered(self, id_: str, outcome: Outcome) -> None:
        command = self._open.pop(id_)
        if isinstance(command, Begin):
            assert isinstance(outcome, WorkflowView | AttaccaError), "it is up, or it is not"
            self._feed(Begun(command.order, outcome))
        else:
            self._feed(Over(command, outcome if isinstance(outcome, HandedOver) else None))

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
