"""The worker core's words: what can happen to it, and what it orders.

Messages come as they are, but for those that are answered: they come with their sender. All that go have an address.
"""

import msgspec

from attacca.model.endpoints import (
    AskSandboxes,
    NotBegun,
    SandboxDown,
    Sandboxes,
    SandboxUp,
    SlotFree,
    StartSandbox,
    StopSandbox,
)
from attacca.model.events import (
    BetweenInstances,
    Delivery,
    FunctionCalled,
    FunctionReplied,
    InstancesSaid,
    OfInstances,
    ReplyKind,
)
from attacca.model.function import Revision
from attacca.model.invocation import Invocation
from attacca.model.messages import (
    Catalogue,
    Check,
    Checked,
    Deleted,
    Deployed,
    Dispatch,
    Ended,
    Evict,
    Logged,
    Prewarm,
    Resting,
    Send,
    Started,
    WatchIdle,
    Withdraw,
)
from attacca.worker.core.reports import (
    DevicesSeen,
    OfEvents,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
    TakenBack,
    TemplateFailed,
    TemplateGone,
    TemplateReady,
)

Asked = Dispatch | Check | WatchIdle | StartSandbox | StopSandbox | AskSandboxes | OfInstances


class Received(msgspec.Struct, frozen=True, gc=False):
    """A gateway or control asks for something, and is to hear what comes of it."""

    peer: str
    message: Asked


class NeighbourJoined(msgspec.Struct, frozen=True):
    """There is a link to another worker."""

    worker: str


class NeighbourSaid(msgspec.Struct, frozen=True, gc=False):
    """Another worker, a process of it that is known by `instance`."""

    worker: str
    instance: bytes
    message: BetweenInstances


class PeerJoined(msgspec.Struct, frozen=True):
    """A gateway or control is there."""

    peer: str


class PeerLost(msgspec.Struct, frozen=True):
    """A gateway is gone: what it asked for is of no use any more."""

    peer: str


class Tick(msgspec.Struct, frozen=True):
    """The time of its alarm has come; or the driver felt like it."""


class Measured(msgspec.Struct, frozen=True):
    """The machine's 1-minute load average divided by its cores."""

    load_per_core: float


class Drain(msgspec.Struct, frozen=True):
    """Take nothing new, refuse what waits, finish what runs."""


Event = (
    Received
    | PeerJoined
    | FunctionReplied
    | RunEnded
    | TakenBack
    | SandboxReady
    | SandboxFailed
    | SandboxGone
    | TemplateReady
    | TemplateFailed
    | TemplateGone
    | OfEvents
    | NeighbourJoined
    | NeighbourSaid
    | Withdraw
    | Tick
    | Measured
    | Catalogue
    | Deployed
    | Deleted
    | Prewarm
    | Evict
    | PeerLost
    | DevicesSeen
    | Drain
)


class MakeTemplate(msgspec.Struct, frozen=True):
    """Import the code once and keep it. Ends in TemplateReady, much later TemplateGone; or in TemplateFailed."""

    template: str
    revision: Revision


class DropTemplate(msgspec.Struct, frozen=True):
    """No sandbox of it is left. It may not even be ready yet."""

    template: str
    why: str


class MakeSandbox(msgspec.Struct, frozen=True):
    """Ends in SandboxReady, much later SandboxGone; or in SandboxFailed. `template` may have died meanwhile."""

    sandbox: str
    revision: Revision
    template: str | None
    why: str


class Kill(msgspec.Struct, frozen=True):
    """End it with whatever runs in it. Its end is still reported, once; what was under way before that may be, too."""

    sandbox: str
    why: str


class Run(msgspec.Struct, frozen=True, gc=False):
    """`peer` hears what comes of it."""

    sandbox: str
    revision: Revision
    invocation: Invocation
    peer: str


class Hand(msgspec.Struct, frozen=True, gc=False):
    """What runs next in a sandbox that is busy, which may have it now, and begins it when it has ended what it runs.
    Ends in its Run, when that is known, or in TakenBack. A runtime that does nothing with it is slower, and no more."""

    sandbox: str
    revision: Revision
    invocation: Invocation


class TakeBack(msgspec.Struct, frozen=True):
    """What the sandbox was handed ahead and has not begun. Ends in TakenBack of that, if there is any."""

    sandbox: str


class Stop(msgspec.Struct, frozen=True):
    """Give up one invocation in a sandbox that others share."""

    sandbox: str
    invocation: str


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """Ends in RunEnded of the delivery's id."""

    sandbox: str
    delivery: Delivery


class Respond(msgspec.Struct, frozen=True, gc=False):
    """What a call or a sync of an instance came to."""

    sandbox: str
    asked: int
    kind: ReplyKind
    data: bytes


class Listen(msgspec.Struct, frozen=True):
    """Whether what the sandbox says is taken."""

    sandbox: str
    paused: bool


class Dial(msgspec.Struct, frozen=True):
    """Have a link to another worker, which is there from now on. Ends in NeighbourJoined, each time that it comes."""

    worker: str
    address: str


class Write(msgspec.Struct, frozen=True):
    """Into the log of a function."""

    line: Logged


class Warn(msgspec.Struct, frozen=True):
    """Into the worker's own log: there may be nobody else to hear it."""

    text: str


ToPeer = (
    Started | Ended | Checked | Resting | NotBegun | SlotFree | SandboxUp | SandboxDown | Sandboxes
    | InstancesSaid | BetweenInstances | FunctionCalled
)  # fmt: skip
ToSandbox = Hand | TakeBack | Deliver | Respond | Listen
Command = Run | Send[ToPeer] | MakeSandbox | Kill | Stop | MakeTemplate | DropTemplate | ToSandbox | Write | Warn | Dial
