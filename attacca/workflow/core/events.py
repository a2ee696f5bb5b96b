"""The domain core's words: what can happen to it, and what it orders."""

import msgspec

from attacca.errors import AttaccaError
from attacca.model.events import InstanceDown, Instances, InstanceUp, OfInstances, StateSynced
from attacca.model.messages import Send
from attacca.model.sandbox import WorkerView
from attacca.model.workflow import WorkflowSpec, WorkflowView


class Record(msgspec.Struct, frozen=True):
    """A workflow as it lies in the store."""

    id: str
    spec: WorkflowSpec
    started_at: float


class StateRecord(msgspec.Struct, frozen=True):
    """What an instance wanted to be kept. `number`: of the start that wrote it."""

    workflow: str
    component: str
    number: int
    version: int
    state: bytes


# What can happen.


class StartAsked(msgspec.Struct, frozen=True):
    """`at`: seconds since 1970. Ends in one Reply, when all instances are up or one cannot be."""

    id: str
    spec: WorkflowSpec
    at: float


class StopAsked(msgspec.Struct, frozen=True):
    """Ends in one Reply, when nothing of it is left."""

    id: str
    workflow: str


class NodeJoined(msgspec.Struct, frozen=True):
    """`address`: where other nodes dial it; empty: there are none."""

    view: WorkerView
    address: str = ""


class NodeSeen(msgspec.Struct, frozen=True):
    view: WorkerView


class NodeLeft(msgspec.Struct, frozen=True):
    worker: str


class Restored(msgspec.Struct, frozen=True):
    """What lies in the store: the first event of a domain that was there before."""

    records: tuple[tuple[Record, int], ...]  # with their versions there
    states: tuple[tuple[StateRecord, int], ...]


class Stored(msgspec.Struct, frozen=True):
    """The Put of that key is durable."""

    key: str
    version: int


class StoreFailed(msgspec.Struct, frozen=True):
    key: str
    error: AttaccaError


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


class Reply(msgspec.Struct, frozen=True):
    """The answer to the StartAsked or StopAsked of that id."""

    id: str
    outcome: WorkflowView | AttaccaError | None


Reported = InstanceUp | InstanceDown | StateSynced | Instances
Event = StartAsked | StopAsked | NodeJoined | NodeSeen | NodeLeft | Restored | Stored | StoreFailed | Tick | Reported
Command = Send[OfInstances] | Put | Erase | Reply
