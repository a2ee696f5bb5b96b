"""The federation core's words: what can happen to it, and what it orders."""

import msgspec

from attacca.errors import AttaccaError
from attacca.model.federation import FromDomain, Left, ToDomain
from attacca.model.messages import Send
from attacca.model.workflow import WorkflowSpec, WorkflowView


class Record(msgspec.Struct, frozen=True):
    """A workflow, or the share of one of its components, as it lies in the store. `domain`: where it is, or is to be,
    since this epoch; empty: it is parked. `lost`: the domain that had it before, and was given up. `ends`: it is not
    wanted any more."""

    id: str
    spec: WorkflowSpec
    started_at: float
    domain: str
    epoch: int
    why: str = ""
    lost: str = ""
    ends: bool = False


class StartAsked(msgspec.Struct, frozen=True):
    """Ends in one Reply: when all of it is up somewhere, or no domain can have it now."""

    id: str
    spec: WorkflowSpec
    at: float


class StopAsked(msgspec.Struct, frozen=True):
    """Ends in one Reply, when nothing of it is left."""

    id: str
    workflow: str


class MigrateAsked(msgspec.Struct, frozen=True):
    """It, or that component of it, is to be in the first of these domains that can have it. Ends in one Reply, when it
    is up again: with the workflow, or with NoCapacity that says where it is instead. Nothing has changed where the
    answer is NotFound, Conflict (it is there already, is not up, or would leave nothing behind), or NoCapacity with the
    reason for each of the domains."""

    id: str
    workflow: str
    to: tuple[str, ...]
    component: str = ""


class DomainLeft(msgspec.Struct, frozen=True):
    domain: str


class Restored(msgspec.Struct, frozen=True):
    """What lies in the store: the first event of a federation that was there before."""

    records: tuple[Record, ...]
    left: tuple[tuple[str, Left], ...]  # with the workflow of each


class Stored(msgspec.Struct, frozen=True):
    """The Put of that key is durable."""

    key: str


class StoreFailed(msgspec.Struct, frozen=True):
    key: str
    error: AttaccaError
    is_erase: bool = False


class Tick(msgspec.Struct, frozen=True):
    """The time that the alarm named has come."""


class Put(msgspec.Struct, frozen=True):
    """Ends in Stored or StoreFailed. Puts and Erases of one key are carried out one after the other."""

    key: str
    value: bytes


class Erase(msgspec.Struct, frozen=True):
    """Ends in StoreFailed, or in nothing."""

    key: str


class Reply(msgspec.Struct, frozen=True):
    """The answer to the StartAsked, StopAsked or MigrateAsked of that id."""

    id: str
    outcome: WorkflowView | AttaccaError | None


Asked = StartAsked | StopAsked | MigrateAsked
Kept = Restored | Stored | StoreFailed
Event = Asked | Kept | DomainLeft | Tick | FromDomain
Command = Send[ToDomain] | Put | Erase | Reply
