"""Event functions: instances that live on between events, what they are told, and what they send to one another.

A workflow's components are logical; what runs is an instance of one, made and ordered by control on a worker. An
instance handles one event at a time, in the order in which each sender sent them.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from attacca.model.function import Revision
from attacca.model.invocation import Failed, Timing
from attacca.model.samples import Entry, Sample

MAILBOX_MOST = 10_000  # events that wait for one instance
MAILBOX_BYTES = 64 << 20  # of them together
EVENT_BYTES = 16 << 20  # of one
STATE_BYTES = 16 << 20
TARGET_BYTES = 300  # of the name of an output or of an instance
GRACE_S = 5.0  # for what an instance handles when it is told to stop, and for its stop
FOLLOWS_MOST = 1000  # wills that an instance is known to have got
REPLICA = "~"  # before the number of a replica but the first, in the name of an instance
SELF = "self"  # the output that leads back
BRIDGED = ":"  # in the name of a worker to which nobody has a link but control
FUNCTIONS = "/functions"  # where ordinary functions are: NAME@/functions is the address of one


class EventKind(StrEnum):
    INIT = "init"
    CAST = "cast"
    CALL = "call"
    STOP = "stop"


class Rule(StrEnum):
    """Which of several targets of an output an event goes to."""

    ALL = "all"
    ANY = "any"
    WEIGHTED = "weighted"


class Target(msgspec.Struct, frozen=True, gc=False):
    """An instance, the worker that it is on, and its share where that is weighted. `is_held`: it is nowhere now, or
    moves, and what is sent to it waits where it is sent from until a patch says where it is."""

    instance: str
    worker: str
    weight: float = 1.0
    address: str = ""  # HOST:PORT of the worker; empty: it is in the same process
    is_held: bool = False


class Route(msgspec.Struct, frozen=True):
    """Where what is sent to an output goes."""

    output: str
    targets: tuple[Target, ...] = ()
    rule: Rule = Rule.ALL


def place(instance: str) -> str:
    """Whose place it has: what follows an instance has its name but for the number behind the last dot."""
    return instance.rpartition(".")[0]


def number(instance: str) -> int:
    """Of its start; 0: it has none."""
    tail = instance.rpartition(".")[2]
    return int(tail) if tail.isdecimal() and len(tail) < 19 else 0


# control -> worker


class StartInstance(msgspec.Struct, frozen=True, tag=True):
    """Make one, and let it handle `payload` and `state` first. Ends in InstanceUp, and much later in InstanceDown; or
    in InstanceDown at once. The revision is part of the workflow, and in no catalogue."""

    id: str
    workflow: str
    component: str
    revision: Revision
    payload: bytes | None = None
    state: bytes | None = None
    version: int = 0  # of the state
    routes: tuple[Route, ...] = ()
    backlog: tuple["Event", ...] = ()  # what its predecessor left, for it to handle
    generation: int = 0  # of the routes
    unsent: tuple["Event", ...] = ()  # what its predecessor had sent, and nobody had got
    is_standby: bool = False  # its `init` waits for BeginInstance
    follows: tuple[str, ...] = ()  # whose wills those two are of, and of which it must be given nothing again


class BeginInstance(msgspec.Struct, frozen=True, tag=True):
    """One that stands by takes its place: let it handle `payload` and `state` now. Ends as StartInstance does."""

    id: str
    state: bytes | None
    version: int
    routes: tuple[Route, ...]
    backlog: tuple["Event", ...]
    generation: int
    unsent: tuple["Event", ...]
    follows: tuple[str, ...] = ()


class StopInstance(msgspec.Struct, frozen=True, tag=True):
    """Once what it handles is done, and then its `stop`, it ends. Ends in InstanceDown, also when there is none.
    `hands_over`: another follows it, which is to have what waits for it; `grace_s` is for what it handles and its
    `stop` together."""

    id: str
    why: str = ""
    hands_over: bool = False
    grace_s: float = GRACE_S
    is_replaced: bool = False  # another has its place already: it ends at once, and nothing that it has sent is taken


class Patch(msgspec.Struct, frozen=True, tag=True):
    """All routes of an instance from now on. What is older than what it has changes nothing."""

    id: str
    generation: int
    routes: tuple[Route, ...]


class AskInstances(msgspec.Struct, frozen=True, tag=True):
    """Which are there? From now on whoever asks hears of them. `gone`: all other workers that are given up."""

    gone: tuple[str, ...] = ()


class HandOver(msgspec.Struct, frozen=True, tag=True):
    """What was left for an instance when it was there already: it comes behind all that waits for it, and, of `unsent`,
    behind all that it has sent. Answered by Handed."""

    id: str
    events: tuple["Event", ...]
    will: str = ""
    unsent: tuple["Event", ...] = ()


class Inherited(msgspec.Struct, frozen=True, tag=True):
    """What was left under that name has come to whoever follows, and need not be kept any more."""

    id: str


class NodeGone(msgspec.Struct, frozen=True, tag=True):
    """Another worker is given up: what it had not handled is for who takes its place, and if it is there still, nothing
    that it says is taken. `worker` may be a whole domain, as DOMAIN/, and `place` the only one whose instance there is
    given up: then what it says is."""

    worker: str
    place: str = ""


class NodeBack(msgspec.Struct, frozen=True, tag=True):
    """It is there again. Of what it had others have the places: nothing that these said is taken."""

    worker: str
    replaced: tuple[str, ...]


class StateKept(msgspec.Struct, frozen=True, tag=True):
    """The state of that version is kept, or why not."""

    id: str
    version: int
    error: str = ""


# worker -> control


class InstanceUp(msgspec.Struct, frozen=True, tag=True):
    """Its `init` has returned; or, where it stands by, it could be called now."""

    worker: str
    id: str
    timing: Timing = Timing()
    is_standby: bool = False


class InstanceDown(msgspec.Struct, frozen=True, tag=True):
    """It is no more, or was never made. `unheard`: events that it had not begun to handle, and that nobody else keeps;
    `unsent`: those that it had sent, and that nobody has got; `follows`: whose wills are among these, or came to it.
    Said again, where it leaves any of these, until Inherited has that id."""

    worker: str
    id: str
    error: Failed
    unheard: tuple["Event", ...] = ()
    unsent: tuple["Event", ...] = ()
    follows: tuple[str, ...] = ()


class Strayed(msgspec.Struct, frozen=True, tag=True):
    """An event that came back when its sender was gone already: it is for who has the place of its target. Said
    again until Inherited has that id."""

    worker: str
    event: "Event"
    id: str = ""


class Handed(msgspec.Struct, frozen=True, tag=True):
    """An instance has got the will of that name."""

    worker: str
    id: str
    will: str


class StateSynced(msgspec.Struct, frozen=True, tag=True):
    """What whoever takes its place is to be given; answered by StateKept."""

    worker: str
    id: str
    version: int
    state: bytes


class InstanceView(msgspec.Struct, frozen=True):
    """One instance as its worker sees it."""

    id: str
    workflow: str
    component: str
    is_up: bool
    version: int = 0
    generation: int = 0  # of its routes
    waiting: int = 0  # events
    handled: int = 0
    failed: int = 0  # of these
    dropped: int = 0  # events sent by it that nobody could be given
    handled_s: float = 0.0  # for all that it has handled
    is_behind: bool = False  # so much waits that who sends to it is not listened to
    is_paused: bool = False  # it is not listened to, because who it sends to is behind
    is_standby: bool = False


class Instances(msgspec.Struct, frozen=True, tag=True):
    """The answer to AskInstances."""

    worker: str
    instances: tuple[InstanceView, ...]
    follows: dict[str, tuple[str, ...]] = {}  # by instance: whose wills it has got


class Samples(msgspec.Struct, frozen=True, tag=True):
    """What instances did since the last one: `views` of those that did something, and where samples are taken, what
    each thing took. `lost`: samples and entries beyond what one message holds."""

    worker: str
    views: tuple[InstanceView, ...] = ()
    samples: tuple[Sample, ...] = ()
    entries: tuple[Entry, ...] = ()
    lost: int = 0


# worker <-> worker


class Event(msgspec.Struct, frozen=True, tag=True, gc=False):
    """For an instance. `stream`: of a call, by which its reply is known; empty: nobody waits for one."""

    target: str
    source: str  # INSTANCE@WORKER
    data: bytes
    stream: str = ""
    output: str = ""  # of its source, by which it came; empty: it was addressed
    created: float = 0.0  # seconds since 1970; 0: nobody measures it


class ReplyKind(StrEnum):
    NOTHING = "nothing"
    REPLY = "reply"
    ERROR = "error"


class Reply(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The answer to the call of that stream; for its caller."""

    target: str  # the instance that called
    stream: str
    kind: ReplyKind
    data: bytes = b""
    source: str = ""  # the instance that answers


class Passed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Numbers grow; all below `floor` are done."""

    number: int
    floor: int
    message: Event | Reply


class Introduced(msgspec.Struct, frozen=True, tag=True):
    """The first word to a worker: where it can dial whoever says it."""

    address: str


class Done(msgspec.Struct, frozen=True, tag=True, gc=False):
    """What was passed under that number need not be kept any more."""

    number: int


class Bounced(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Whom it was for is not here."""

    number: int


class Refused(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Who sent it has been replaced; or the whole worker was given up."""

    number: int
    is_given_up: bool


class Carried(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Between workers of two domains, on its way through their portals. `source` and `to`: DOMAIN/WORKER, where it is
    one of another domain. A session of one process of the source begins with number 1, and with all that is not done;
    what follows a gap is of no use."""

    source: str
    to: str
    process: bytes
    session: int
    number: int
    message: Passed | Done | Bounced


class Torn(msgspec.Struct, frozen=True, tag=True):
    """Some of what `to` has carried to `source` is missing: it is to begin another session."""

    source: str
    to: str


class Reached(msgspec.Struct, frozen=True, tag=True):
    """The way to a worker of another domain is whole again: what was on it may be lost."""

    worker: str


# between worker and gateway


class FunctionCalled(msgspec.Struct, frozen=True, tag=True, gc=False):
    """An instance calls an ordinary function. Ends in FunctionReplied."""

    worker: str
    id: str
    function: str
    data: bytes


class FunctionReplied(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The answer to the FunctionCalled of that id."""

    id: str
    kind: ReplyKind
    data: bytes = b""


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """What a sandbox is given to handle next."""

    id: str
    kind: EventKind
    source: str = ""
    data: bytes | None = None
    state: bytes | None = None


Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
OfInstances = (
    StartInstance | StopInstance | Patch | AskInstances | StateKept | NodeGone | NodeBack | HandOver | BeginInstance
    | Inherited
)  # fmt: skip
InstancesSaid = InstanceUp | InstanceDown | StateSynced | Instances | Strayed | Handed | Samples
Faraway = Carried | Torn | Reached  # for a worker, from its portal
BetweenInstances = Introduced | Passed | Done | Bounced | Refused
