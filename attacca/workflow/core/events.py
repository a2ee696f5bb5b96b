"""The domain core's words: what can happen to it, and what it orders."""

import msgspec

from attacca.errors import AttaccaError
from attacca.model.events import Handed, InstanceDown, Instances, InstanceUp, OfInstances, StateSynced, Strayed
from attacca.model.federation import Left, OfPlaces
from attacca.model.machine import Machine
from attacca.model.messages import Send
from attacca.model.sandbox import WorkerView
from attacca.model.workflow import WorkflowSpec, WorkflowView


class Record(msgspec.Struct, frozen=True):
    """A workflow as it lies in the store. `epoch`: of its federation; 0: it is of none. `components`: of its share, and
    none of those that have a record of their own; none: all. `left`: of elsewhere, until its instances have it.
    `ended`: it is over here, and this is what it leaves to whoever goes on with it elsewhere."""

    id: str
    spec: WorkflowSpec
    started_at: float
    epoch: int = 0
    components: tuple[str, ...] = ()
    lost: str = ""
    left: tuple[Left, ...] = ()
    ended: tuple[Left, ...] | None = None


class Before(msgspec.Struct, frozen=True):
    """How often the orchestrator has begun, and which nodes there were when one joined or was given up last; and the
    last of those that were given up and have not come back."""

    term: int = 0
    nodes: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


class StateRecord(msgspec.Struct, frozen=True):
    """What an instance wanted to be kept. `number`: of the start that wrote it."""

    workflow: str
    component: str  # and which of its replicas
    number: int
    version: int
    state: bytes


# What can happen.


class StartAsked(msgspec.Struct, frozen=True):
    """`at`: seconds since 1970. Ends in one Reply, when all instances are up or one cannot be. Where a federation
    starts it, it has an id already, an epoch, and what it left behind elsewhere, in the domain that was `lost`; and
    where it is a share, its components."""

    id: str
    spec: WorkflowSpec
    at: float
    workflow: str = ""
    epoch: int = 0
    left: tuple[Left, ...] = ()
    components: tuple[str, ...] = ()
    lost: str = ""


class StopAsked(msgspec.Struct, frozen=True):
    """Ends in one Reply, when nothing of it is left; where it is handed over, with what it leaves behind."""

    id: str
    workflow: str
    hands_over: bool = False


class MigrateAsked(msgspec.Struct, frozen=True):
    """A component, or all of a workflow where that is empty, is to be on the first of these nodes that can have it.

    Ends in one Reply, where it has an id, when all that moved is up again: with the workflow, or with NoCapacity that
    says where it is instead, and why. Nothing has changed where the answer is NotFound (there is no such workflow,
    component or node), Conflict (it is there already, or neither up nor waiting), or NoCapacity with the reason for
    each of the nodes: it does not fit, is cordoned, or has no room now."""

    id: str
    workflow: str
    component: str
    to: tuple[str, ...]


class LeftTaken(msgspec.Struct, frozen=True):
    """What that workflow left when it was handed over in that epoch is kept elsewhere."""

    workflow: str
    epoch: int


class FarSaid(msgspec.Struct, frozen=True):
    """The portal of another domain has said it."""

    domain: str
    message: OfPlaces


class PortalOpened(msgspec.Struct, frozen=True):
    """The portal of that domain can be told again where instances are, and has not heard it before."""

    domain: str


class NodeJoined(msgspec.Struct, frozen=True):
    """`address`: where other nodes dial it; empty: there are none."""

    view: WorkerView
    address: str = ""
    machine: Machine | None = None


class NodeSeen(msgspec.Struct, frozen=True):
    view: WorkerView


class NodeLeft(msgspec.Struct, frozen=True):
    worker: str


class Restored(msgspec.Struct, frozen=True):
    """What lies in the store: the first event of a domain that was there before."""

    records: tuple[tuple[Record, int], ...]  # with their versions there
    states: tuple[tuple[StateRecord, int], ...]
    before: Before | None = None


class Stored(msgspec.Struct, frozen=True):
    """The Put of that key is durable."""

    key: str
    version: int


class Erased(msgspec.Struct, frozen=True):
    """That key is not there any more, for good."""

    key: str


class StoreFailed(msgspec.Struct, frozen=True):
    """Of a Put, or of an Erase."""

    key: str
    error: AttaccaError
    is_erase: bool = False


class Tick(msgspec.Struct, frozen=True):
    """The time that `wakeup()` named has come."""


# What is ordered.


class Put(msgspec.Struct, frozen=True):
    """Ends in Stored or StoreFailed. Puts and Erases of one key are carried out one after the other."""

    key: str
    value: bytes
    version: int


class Erase(msgspec.Struct, frozen=True):
    key: str


class HandedOver(msgspec.Struct, frozen=True):
    """Whoever follows a workflow that has ended here begins with it."""

    left: tuple[Left, ...]


class Announce(msgspec.Struct, frozen=True):
    """To the portals of other domains, all of them or one."""

    message: OfPlaces
    domain: str = ""


class Reply(msgspec.Struct, frozen=True):
    """The answer to the StartAsked, StopAsked or MigrateAsked of that id."""

    id: str
    outcome: WorkflowView | HandedOver | AttaccaError | None


Reported = InstanceUp | InstanceDown | StateSynced | Instances | Strayed | Handed
Event = (
    StartAsked
    | StopAsked
    | MigrateAsked
    | LeftTaken
    | NodeJoined
    | NodeSeen
    | NodeLeft
    | Restored
    | Stored
    | Erased
    | StoreFailed
    | Tick
    | FarSaid
    | PortalOpened
    | Reported
)
Command = Send[OfInstances] | Put | Erase | Reply | Announce
