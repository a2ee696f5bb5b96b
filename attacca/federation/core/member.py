"""What a domain does for its federation: begins and ends there what it is told, and says what it has.

BeginWorkflow ──▶ End what is here of it ──▶ Bring its code ──▶ Begin ──▶ WorkflowBegun, or WorkflowRefused
EndWorkflow ──▶ End ──▶ WorkflowEnded, and with each DomainJoined again ──▶ LeftKept
a state is kept ──▶ StateCopied ──▶ StateTaken ──▶ the next one
"""

from collections.abc import Callable

import msgspec

from attacca.errors import AttaccaError
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
    StateCopied,
    StateTaken,
    WorkflowBegun,
    WorkflowEnded,
    WorkflowRefused,
)
from attacca.model.invocation import Failed
from attacca.model.workflow import InstanceRow, WorkflowView
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import HandedOver
from attacca.workflow.core.graph import Part, Workflow, whole
from attacca.workflow.core.keeping import STATES


class Joined(msgspec.Struct, frozen=True):
    """There is a link to the federation."""


class Beat(msgspec.Struct, frozen=True):
    """It is time to say how the domain is, or something has changed."""


class Durable(msgspec.Struct, frozen=True):
    """The state at that key is."""

    key: str


class Brought(msgspec.Struct, frozen=True):
    """The end of a Bring: all its code is here, or why not."""

    order: BeginWorkflow
    error: AttaccaError | None = None


class Begun(msgspec.Struct, frozen=True):
    """The end of a Begin."""

    order: BeginWorkflow
    outcome: WorkflowView | AttaccaError


class Say(msgspec.Struct, frozen=True):
    """To the federation."""

    message: FromDomain


class Bring(msgspec.Struct, frozen=True):
    """In place of what is being brought for that workflow."""

    order: BeginWorkflow


class Drop(msgspec.Struct, frozen=True):
    """What is being brought for that workflow is not wanted."""

    workflow: str


class Begin(msgspec.Struct, frozen=True):
    order: BeginWorkflow


class End(msgspec.Struct, frozen=True):
    """`is_before`: another epoch of it is to begin then."""

    workflow: str
    epoch: int
    hands_over: bool = False
    is_before: bool = False


class Over(msgspec.Struct, frozen=True):
    """The end of an End. What is there no more has left nothing."""

    end: End
    outcome: HandedOver | None


MemberEvent = BeginWorkflow | EndWorkflow | LeftKept | StateTaken | Joined | Beat | Durable | Brought | Begun | Over


class Let(msgspec.Struct, frozen=True):
    """What that workflow left here in that epoch need not be kept any more."""

    workflow: str
    epoch: int


MemberCommand = Say | Bring | Drop | Begin | End | Let


class MemberCore:
    """`shown` gives the rows of a workflow as the federation is told of them, `summed` what the domain has in all."""

    def __init__(
        self,
        domain: str,
        core: DomainCore,
        shown: Callable[[Workflow], tuple[InstanceRow, ...]],
        summed: Callable[[], DomainSummary],
    ) -> None:
        self._domain, self._core, self._shown, self._summed = domain, core, shown, summed
        self._begins: dict[str, BeginWorkflow] = {}
        self._copying: dict[str, bool] = {}  # by key of a state that is under way: whether there is a newer one
        self._rows: dict[str, tuple[InstanceRow, ...]] = {}  # as told last

    def __repr__(self) -> str:
        left = len(self._core.keeping.ended)
        counts = f"{len(self._begins)} begin, {left} left, {len(self._copying)} copied"
        return f"<MemberCore {self._domain}: {counts}>"

    @property
    def ours(self) -> list[Workflow]:
        """Those that the federation has started."""
        return [one for one in self._core.workflows.values() if one.epoch and not one.is_stopping]

    def handle(self, event: MemberEvent) -> list[MemberCommand]:
        out: list[MemberCommand] = []
        match event:
            case BeginWorkflow():
                self._begin(event, out)
            case EndWorkflow():
                self._end(event, out)
            case LeftKept():
                out.append(Let(event.workflow, event.epoch))
            case StateTaken():
                key = f"{STATES}{whole(event.workflow)}/{event.component}"
                if self._copying.pop(key, False):
                    self._kept(key, out)
            case Joined():
                self._join(out)
            case Beat():
                self._beat(out)
            case Durable():
                self._kept(event.key, out)
            case Brought() | Begun() | Over():
                self._done(event, out)
        return out

    # What it is told.

    def _begin(self, order: BeginWorkflow, out: list[MemberCommand]) -> None:
        known, before = self._core.workflows.get(order.workflow), self._begins.get(order.workflow)
        if before is not None and before.epoch == order.epoch:
            return  # it says how that went
        if known is not None and known.epoch == order.epoch and not known.is_stopping:
            out.append(Say(WorkflowBegun(self._domain, order.workflow, order.epoch, self._shown(known))))
            return
        self._begins[order.workflow] = order
        if before is not None:
            out.append(Drop(order.workflow))
        if known is not None:
            out.append(End(order.workflow, order.epoch, is_before=True))
        else:
            out.append(Bring(order))

    def _end(self, order: EndWorkflow, out: list[MemberCommand]) -> None:
        """One that is still being brought is ended before it begins."""
        known, begins = self._core.sharing.holder(order.workflow), self._begins.get(order.workflow)
        if known is None and begins is not None and begins.epoch <= order.epoch:
            del self._begins[order.workflow]
            out.append(Drop(order.workflow))
        if known is None or known.epoch > order.epoch:
            self._has_ended(order.workflow, order.epoch, None, out)
        else:
            out.append(End(order.workflow, order.epoch, order.hands_over))

    # What has become of it.

    def _done(self, event: Brought | Begun | Over, out: list[MemberCommand]) -> None:
        match event:
            case Brought():
                if self._begins.get(event.order.workflow) is not event.order:
                    return
                if event.error is None:
                    out.append(Begin(event.order))
                else:
                    self._has_begun(event.order, event.error, out)
            case Begun():
                self._has_begun(event.order, event.outcome, out)
            case Over() if event.end.is_before:
                order = self._begins.get(event.end.workflow)
                if order is not None and order.epoch == event.end.epoch:
                    out.append(Bring(order))
            case Over():
                self._has_ended(event.end.workflow, event.end.epoch, event.outcome, out)

    def _has_begun(self, order: BeginWorkflow, outcome: WorkflowView | AttaccaError, out: list[MemberCommand]) -> None:
        if self._begins.get(order.workflow) is order:
            del self._begins[order.workflow]
        if isinstance(outcome, WorkflowView):
            out.append(Say(WorkflowBegun(self._domain, order.workflow, order.epoch, outcome.instances)))
        else:
            failed = Failed(outcome.code, outcome.message, outcome.hint)
            out.append(Say(WorkflowRefused(self._domain, order.workflow, order.epoch, failed)))

    def _has_ended(self, name: str, epoch: int, outcome: HandedOver | None, out: list[MemberCommand]) -> None:
        known = self._core.keeping.ended.get(name)
        if outcome is not None:
            left = outcome.left
        else:  # the one before may have handed it over, and not have said so any more
            left = known.ended or () if known is not None and known.epoch == epoch else ()
        out.append(Say(WorkflowEnded(self._domain, name, epoch, left)))

    # What it says.

    def _join(self, out: list[MemberCommand]) -> None:
        self._copying.clear()
        self._rows.clear()
        ours = self.ours
        hosted = tuple(
            [
                Hosted(one.id, one.epoch, one.id not in self._begins, one.components, one.is_stopping)
                for one in self._core.workflows.values()
                if one.epoch
            ]
        )
        kept = self._core.keeping.ended.values()
        ended = tuple([WorkflowEnded(self._domain, one.id, one.epoch, one.ended or ()) for one in kept])
        out.append(Say(DomainJoined(self._domain, self._summed(), hosted, ended)))
        for part in [part for one in ours for part in one.parts.values() if part.state is not None]:
            self._kept(part.key, out)

    def _beat(self, out: list[MemberCommand]) -> None:
        rows = {one.id: self._shown(one) for one in self.ours}
        changed = tuple([HostedRows(name, now) for name, now in rows.items() if self._rows.get(name) != now])
        self._rows = rows
        out.append(Say(DomainSeen(self._domain, self._summed(), changed)))

    def _kept(self, key: str, out: list[MemberCommand]) -> None:
        """It is copied, unless the one before is still under way."""
        part = self._core.books.in_place(key.removeprefix(STATES).replace("/", ".", 1))
        if part is None or not part.workflow.epoch:
            return
        if key in self._copying:
            self._copying[key] = True
            return
        self._copying[key] = False
        out.append(Say(StateCopied(self._domain, part.workflow.id, part.workflow.epoch, _left(part))))


def _left(part: Part) -> Left:
    return Left(part.label, number(part.instance) if part.instance else part.number, part.version, part.state)
