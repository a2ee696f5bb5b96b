"""What a federation knows of one workflow, and of one domain."""

from collections.abc import Sequence
from enum import StrEnum
from math import inf

import msgspec

from attacca.federation.core.events import Record
from attacca.model.events import REPLICA
from attacca.model.federation import DomainSummary, DomainView, Left
from attacca.model.machine import Machine
from attacca.model.resources import Resources, total
from attacca.model.workflow import Component, InstanceRow, WorkflowSpec, WorkflowView, shown
from attacca.workflow.core.graph import RESOURCE_MB

WORKFLOWS, LEFT = "federation-workflows/", "federation-left/"
FIRST_S, LAST_S = 0.5, 30.0  # between two attempts at a parked one


class Stage(StrEnum):
    PARKED = "parked"  # no domain can have it now
    STARTING = "starting"
    UP = "up"
    LEAVING = "leaving"  # it ends in its domain, and what it leaves goes with it to the next
    STOPPING = "stopping"


class Workflow:
    """`epoch` grows with each start somewhere. A component that was sent to a domain of its own is a share, which is
    placed and kept as a workflow is; `root` is the whole, and `away` are the components that are not with it."""

    __slots__ = (
        "asked", "away", "component", "domain", "epoch", "failures", "given_up", "id", "left", "lost", "moved",
        "refused", "retry_at", "root", "rows", "spec", "stage", "started_at", "stops", "to", "why", "writes", "writing",
    )  # fmt: skip

    def __init__(self, name: str, spec: WorkflowSpec, started_at: float) -> None:
        self.id, self.spec, self.started_at = name, spec, started_at
        self.root, _, self.component = name.partition(REPLICA)  # of a share; of a whole that is empty
        self.away: dict[str, None] = {}
        self.given_up = ""  # the domain that had it before, where that was given up
        self.domain, self.epoch, self.stage = "", 0, Stage.PARKED
        self.why = self.lost = ""  # why it is where it is; and why it is not where it was
        self.asked = ""  # whoever waits for its first start
        self.moved = ""  # whoever waits for it to be up elsewhere
        self.to: tuple[str, ...] = ()  # where it is to go
        self.stops: list[str] = []  # those who wait for its end
        self.failures, self.retry_at = 0, 0.0
        self.refused: dict[str, str] = {}  # by domain: why it would not have it
        self.left: dict[str, Left] = {}  # by component: what the next start begins with
        self.rows: tuple[InstanceRow, ...] = ()
        self.writes = 0  # of its record, on their way
        self.writing: dict[str, int] = {}  # by key of what it left, how many writes are on their way

    def __repr__(self) -> str:
        return f"<Workflow {self.id} {self.stage} in {self.domain or 'no domain'}, epoch {self.epoch}>"

    @property
    def key(self) -> str:
        return WORKFLOWS + self.id

    def key_of(self, component: str) -> str:
        return f"{LEFT}{self.id}/{component}"

    @property
    def own(self) -> list[Component]:
        """Those components that are where it is."""
        if self.component:
            return [one for one in self.spec.components if one.name == self.component]
        return [one for one in self.spec.components if one.name not in self.away]

    @property
    def components(self) -> tuple[str, ...]:
        """Their names; none: it is whole."""
        return tuple(one.name for one in self.own) if self.component or self.away else ()

    @property
    def needs(self) -> Resources:
        """Of all its instances together, as far as a domain reserves it."""
        return total(
            Resources(one.memory_mb if one.artefact is not None else RESOURCE_MB) * one.replicas for one in self.own
        )

    def record(self) -> Record:
        ends = self.stage is Stage.STOPPING
        return Record(self.id, self.spec, self.started_at, self.domain, self.epoch, self.why, self.given_up, ends)

    def view(self, shares: Sequence["Workflow"] = ()) -> WorkflowView:
        """With those of its components that are elsewhere."""
        rows = [*self.placed(), *(row for share in shares for row in share.placed())] if shares else self.rows
        whys = [f"{share.component}: {share.why}" for share in shares if share.stage is not Stage.UP]
        return WorkflowView(
            self.id, self.spec.name, self.started_at, tuple(rows), shown(self.spec), domain=self.domain,
            stage=str(self.stage), why="; ".join(filter(None, (self.why, *whys))),
        )  # fmt: skip

    def placed(self) -> list[InstanceRow]:
        """A component that is nowhere has a row that says so."""
        if not self.domain or (self.component and not self.rows):
            told = [InstanceRow(one.name, "", "", str(self.stage), 0, self.why) for one in self.own]
        else:
            names = {one.name for one in self.own}
            told = [row for row in self.rows if row.component.partition(REPLICA)[0] in names and not row.domain]
        return [msgspec.structs.replace(row, domain=self.domain) for row in told]


class Domain:
    """A `policy.placement.types.Worker`: to whoever chooses among domains, each is one large node."""

    __slots__ = ("is_cordoned", "is_dead", "is_here", "lost_at", "name", "ordered", "summary")

    def __init__(self, name: str) -> None:
        self.name = name
        self.summary = DomainSummary()
        self.is_here = self.is_dead = self.is_cordoned = False
        self.lost_at = inf  # when it is given up, unless it says something before
        self.ordered: dict[str, Resources] = {}  # by workflow that it is to start, and has not told of yet

    def __repr__(self) -> str:
        state = "given up" if self.is_dead else "here" if self.is_here else "away"
        return f"<Domain {self.name} {state}: {len(self.summary.nodes)} nodes>"

    @property
    def capacity(self) -> Resources:
        return Resources(self.summary.memory_mb)

    @property
    def reserved(self) -> Resources:
        return Resources(self.summary.reserved_mb) + total(self.ordered.values())

    @property
    def machine(self) -> Machine:
        return Machine(processors=self.summary.processors, cores=self.summary.processors)

    def view(self, workflows: tuple[str, ...]) -> DomainView:
        return DomainView(
            name=self.name, is_here=self.is_here and not self.is_dead, summary=self.summary, workflows=workflows
        )
