"""The control core's words: what can happen to it, and what it orders. `messages` come and go as they are.

    asked ──▶ Examine, Build, Check ──▶ Put ──▶ Announce ──▶ Reply
                                       durable   announced    acknowledged

Whatever has an id belongs to the request of that id, which ends in exactly one Reply.
"""

import msgspec

from attacca.control.core.progress import Done, Refused, Step
from attacca.control.core.stored import Function
from attacca.errors import AttaccaError
from attacca.model.endpoints import (
    AskEndpoints,
    AskSandboxes,
    Endpoints,
    EndpointsChanged,
    EndpointsKnown,
    Loads,
    SandboxDown,
    Sandboxes,
    SandboxUp,
    StartSandbox,
    StartsFail,
    StopSandbox,
)
from attacca.model.function import Revision, RuntimeKind, Scale, Settings
from attacca.model.messages import (
    AskHeld,
    Catalogue,
    Check,
    Checked,
    Cordon,
    Deleted,
    Deployed,
    Evict,
    GatewayJoined,
    GatewayLeft,
    Heartbeat,
    Held,
    Known,
    Members,
    Prewarm,
    Send,
    WorkerJoined,
    WorkerLeft,
)
from attacca.model.supplies import Prefetch, SecretChanged, Stock

OPEN = "open"  # the id of the request that the start is


class Made(msgspec.Struct, frozen=True):
    """What lies on the disk for a revision."""

    code: str
    bundle: str | None
    is_wasm: bool = False  # a function in WebAssembly
    image: str = ""  # which was sent, instead of code
    has_handler: bool = False  # in the image, for the Python there
    is_microvm: bool = False  # code for one


# What is asked for.


class Restored(msgspec.Struct, frozen=True):
    """What the store holds at the start, functions with their versions; `epoch` is of the run before, 0 of none."""

    functions: tuple[tuple[Function, int], ...] = ()
    secrets: tuple[str, ...] = ()
    epoch: int = 0
    epoch_version: int = 0
    cordoned: tuple[str, ...] = ()  # workers


class DeployAsked(msgspec.Struct, frozen=True):
    """`from_source`: packages without a wheel are to be built."""

    id: str
    settings: Settings
    from_source: bool = False


class RollbackAsked(msgspec.Struct, frozen=True):
    """`to`: a kept revision; None is the one before the current."""

    id: str
    function: str
    to: int | None = None


class ScaleAsked(msgspec.Struct, frozen=True):
    id: str
    function: str
    scale: Scale


class DeleteAsked(msgspec.Struct, frozen=True):
    id: str
    function: str


class SecretDeleteAsked(msgspec.Struct, frozen=True):
    """`is_forced`: also if a function asks for it."""

    id: str
    name: str
    is_forced: bool = False


class Ordered(msgspec.Struct, frozen=True):
    id: str
    order: Prewarm | Evict | Cordon


class ReaderLeft(msgspec.Struct, frozen=True):
    """Nobody reads how a deployment goes. It ends, unless its check has begun: then it runs to its end."""

    id: str


# What became of what was ordered.


class Examined(msgspec.Struct, frozen=True):
    """`error`: why the secrets cannot be given. `has_token`: the admin API asks its callers for one."""

    id: str
    error: AttaccaError | None = None
    has_token: bool = False


class Built(msgspec.Struct, frozen=True):
    """`at`: seconds since 1970."""

    id: str
    made: Made
    at: float


class BuildFailed(msgspec.Struct, frozen=True):
    id: str
    error: AttaccaError


class Stored(msgspec.Struct, frozen=True):
    """It is durable."""

    id: str
    version: int


class Erased(msgspec.Struct, frozen=True):
    """It is gone for good."""

    id: str


class StoreFailed(msgspec.Struct, frozen=True):
    """Of a Put or an Erase. A Conflict is one: somebody else has changed it."""

    id: str
    error: AttaccaError


class SecretSet(msgspec.Struct, frozen=True):
    """A secret has a new value, and that is durable."""

    name: str


class Swept(msgspec.Struct, frozen=True):
    """What a Sweep was to remove is gone."""


class CatalogueAsked(msgspec.Struct, frozen=True):
    """A peer has missed something and wants the whole catalogue."""

    peer: str


class GatewaySaid(msgspec.Struct, frozen=True, gc=False):
    """A gateway wants to hear of endpoints, or has heard, or says what it has of functions that control scales."""

    peer: str
    message: AskEndpoints | EndpointsKnown | Loads


class Drain(msgspec.Struct, frozen=True):
    """Take nothing new, refuse what is on its way, end what is being written. `why`: None: the server shuts down."""

    why: AttaccaError | None = None


class Tick(msgspec.Struct, frozen=True):
    """The time of its alarm has come; or the driver felt like it."""


Report = Examined | Built | BuildFailed | Checked | Stored | Erased | StoreFailed
Event = (
    Restored
    | DeployAsked
    | RollbackAsked
    | ScaleAsked
    | DeleteAsked
    | SecretDeleteAsked
    | Ordered
    | ReaderLeft
    | Report
    | SecretSet
    | Held
    | Stock
    | Swept
    | CatalogueAsked
    | WorkerJoined
    | Heartbeat
    | WorkerLeft
    | GatewaySaid
    | SandboxUp
    | SandboxDown
    | Sandboxes
    | GatewayJoined
    | GatewayLeft
    | Known
    | Drain
    | Tick
)


# What is ordered.


class Examine(msgspec.Struct, frozen=True):
    """Ends in Examined: can the secrets be given as they are asked for, and is there a token?"""

    id: str
    settings: Settings


class Build(msgspec.Struct, frozen=True):
    """Bring the upload to the disk, with what it requires. Ends in Built or BuildFailed, also when it is stopped."""

    id: str
    from_source: bool
    runtime: RuntimeKind


class StopBuild(msgspec.Struct, frozen=True):
    id: str


class Put(msgspec.Struct, frozen=True):
    """Write it, if the key has this version still; None: whatever it has. Ends in Stored or StoreFailed."""

    id: str
    key: str
    value: bytes
    version: int | None


class Erase(msgspec.Struct, frozen=True):
    """Ends in Erased or StoreFailed. `version` None: whatever it has."""

    id: str
    key: str
    version: int | None


class Announce(msgspec.Struct, frozen=True):
    """To all planes. What it says is durable."""

    message: Catalogue | Deployed | Deleted


class Say(msgspec.Struct, frozen=True):
    """To whoever reads how the deployment goes."""

    id: str
    step: Step


Outcome = Done | Refused | Revision | tuple[str, ...] | AttaccaError | None


class Reply(msgspec.Struct, frozen=True):
    """The last word on a request. Of a deployment it is Done or Refused; of others what they ask for, or why not."""

    id: str
    outcome: Outcome = None


class Sweep(msgspec.Struct, frozen=True):
    """Remove all code and bundles but these. Ends in Swept; no Build begins before."""

    keep: tuple[str, ...]


ToWorker = (
    Cordon
    | Catalogue
    | Check
    | AskHeld
    | Prewarm
    | Evict
    | StartSandbox
    | StopSandbox
    | AskSandboxes
    | SecretChanged
    | Prefetch
)
ToGateway = Catalogue | Members | Endpoints | EndpointsChanged | StartsFail
ToPeer = Deployed | Deleted | ToWorker | ToGateway
Command = Send[ToPeer] | Announce | Put | Erase | Reply | Say | Examine | Build | StopBuild | Sweep
