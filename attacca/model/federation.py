"""What the domains of a federation and its controller say to each other.

An epoch grows with each start of a workflow somewhere: of two domains that have it, the one with the lower epoch is to
end it.
"""

import msgspec

from attacca.model.events import Carried, Event, Torn
from attacca.model.invocation import Failed
from attacca.model.workflow import InstanceRow, WorkflowSpec


class DomainSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What the nodes of a domain have, all of them together. `url`: of its admin API; empty: it is not known."""

    nodes: tuple[str, ...] = ()
    memory_mb: int = 0  # of all sandboxes
    reserved_mb: int = 0  # of that, by instances
    labels: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()  # classes that a node can host
    tee: bool = False
    tpm: bool = False
    machine_mb: int = 0  # memory of the largest machine
    processors: int = 0  # of the largest machine
    url: str = ""
    portal: str = ""  # HOST:PORT, where portals of other domains dial its own; empty: it has none


class Left(msgspec.Struct, frozen=True):
    """What a component leaves behind for whoever follows it. `number`: of the start that wrote the state; `backlog`:
    events that it had not begun to handle; `unsent`: those that it had sent, and that nobody has got; `follows`: whose
    wills are among these, or came to it, so that it is given none of them again."""

    component: str  # and which of its replicas
    number: int = 0
    version: int = 0
    state: bytes | None = None
    backlog: tuple[Event, ...] = ()
    unsent: tuple[Event, ...] = ()
    follows: tuple[str, ...] = ()


class Hosted(msgspec.Struct, frozen=True):
    """A workflow, or a share of one, that a domain has. `is_up`: its start has succeeded once. `components`: those that
    it has of it; none: all. `is_ending`: WorkflowEnded will follow."""

    workflow: str
    epoch: int
    is_up: bool
    components: tuple[str, ...] = ()
    is_ending: bool = False


# domain -> federation


class WorkflowEnded(msgspec.Struct, frozen=True, tag=True):
    """The last word on a workflow there; said until it is answered by LeftKept."""

    domain: str
    workflow: str
    epoch: int
    left: tuple[Left, ...] = ()


class DomainJoined(msgspec.Struct, frozen=True, tag=True):
    """What it is, and what it has of the federation: all else it has not, or not any more."""

    domain: str
    summary: DomainSummary
    hosted: tuple[Hosted, ...] = ()
    ended: tuple[WorkflowEnded, ...] = ()


class HostedRows(msgspec.Struct, frozen=True):
    workflow: str
    rows: tuple[InstanceRow, ...]


class DomainSeen(msgspec.Struct, frozen=True, tag=True):
    """Twice a second. `rows`: of the workflows that have changed since."""

    domain: str
    summary: DomainSummary
    rows: tuple[HostedRows, ...] = ()


class WorkflowBegun(msgspec.Struct, frozen=True, tag=True):
    """All of it is up."""

    domain: str
    workflow: str
    epoch: int
    rows: tuple[InstanceRow, ...] = ()


class WorkflowRefused(msgspec.Struct, frozen=True, tag=True):
    """It could not be started, and nothing of it is there."""

    domain: str
    workflow: str
    epoch: int
    error: Failed


class StateCopied(msgspec.Struct, frozen=True, tag=True):
    """What an instance has synced; of several in a row, the last. Answered by StateTaken."""

    domain: str
    workflow: str
    epoch: int
    left: Left


# federation -> domain


class BeginWorkflow(msgspec.Struct, frozen=True, tag=True):
    """Ends in WorkflowBegun or WorkflowRefused; whoever has it already says so. `at`: seconds since 1970.
    `components`: those of the share that it is to have, none: all; the others are in other domains. `lost`: the domain
    that had it, and was given up."""

    workflow: str
    epoch: int
    spec: WorkflowSpec
    at: float
    left: tuple[Left, ...] = ()
    components: tuple[str, ...] = ()
    lost: str = ""


class EndWorkflow(msgspec.Struct, frozen=True, tag=True):
    """What there is of it up to this epoch. `hands_over`: another domain goes on with what it knows and what waits.
    Ends in WorkflowEnded, also when there is none. The share of one component that is a part of the whole still becomes
    one of its own first."""

    workflow: str
    epoch: int
    why: str = ""
    hands_over: bool = False


class LeftKept(msgspec.Struct, frozen=True, tag=True):
    """What it left behind is not needed there any more."""

    workflow: str
    epoch: int


class StateTaken(msgspec.Struct, frozen=True, tag=True):
    """It is kept, or nobody needs it."""

    workflow: str
    component: str
    version: int


class Portals(msgspec.Struct, frozen=True, tag=True):
    """Of all domains that have joined: where each is dialed."""

    addresses: dict[str, str]


# portal <-> portal


class FarWorkers(msgspec.Struct, frozen=True, tag=True):
    """Which workers the domain has. `came`: those of them that have come just now; `gone`: those given up lately, and
    how often that was since this process of its control began; they may be here again."""

    here: tuple[str, ...]
    came: tuple[str, ...] = ()
    gone: dict[str, int] = {}
    process: str = ""


class Located(msgspec.Struct, frozen=True, tag=True):
    """Which instance has a place in the domain. `epoch`: of the share that it belongs to; `lost`: the domain that had
    it before, and was given up."""

    workflow: str  # the whole
    label: str  # the component, and which of its replicas
    epoch: int
    instance: str
    worker: str
    state: str = ""
    is_held: bool = False  # what is for it waits with who sends it
    lost: str = ""


class Seek(msgspec.Struct, frozen=True, tag=True):
    """A share of that workflow has begun: where is the rest of it?"""

    workflow: str


class Astray(msgspec.Struct, frozen=True, tag=True):
    """An event that came back to a domain which its sender has left, and its target too: for who has the place of its
    target. Said again until Taken has that id."""

    id: str
    event: Event


class Taken(msgspec.Struct, frozen=True, tag=True):
    """Whoever has the place of its target has got what was Astray; or it is of no use to anybody."""

    id: str


OfPlaces = Located | Seek | Astray | Taken
BetweenPortals = FarWorkers | OfPlaces | Carried | Torn
FromDomain = DomainJoined | DomainSeen | WorkflowBegun | WorkflowRefused | WorkflowEnded | StateCopied
ToDomain = BeginWorkflow | EndWorkflow | LeftKept | StateTaken | Portals


# What people are shown.


class DomainView(msgspec.Struct, frozen=True, kw_only=True):
    """`workflows`: ids of those that it has, or is to have."""

    name: str
    is_here: bool
    summary: DomainSummary
    workflows: tuple[str, ...] = ()
