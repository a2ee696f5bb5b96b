"""The words that planes say to each other. In one process they are passed as they are; apart, as frames."""

from collections.abc import Mapping
from functools import cached_property
from typing import Generic, TypeVar

import msgspec

from attacca.model.doors import Doors, DoorsKnown
from attacca.model.endpoints import AskEndpoints, EndpointsKnown, Loads, Order, Published, Refused, Reported
from attacca.model.energy import Spent
from attacca.model.events import Carried, Faraway, FunctionCalled, FunctionReplied, InstancesSaid, OfInstances, Torn
from attacca.model.federation import FromDomain, ToDomain
from attacca.model.function import Revision
from attacca.model.history import AskHistory, HistoryTold
from attacca.model.invocation import Call, Failed, Invocation, Outcome, Start, Timing
from attacca.model.journals import AskAsync, AskCall, AskMinding, AsyncTold, CallTold, MindingTold
from attacca.model.looks import AskLoads, LoadsTold
from attacca.model.machine import Machine
from attacca.model.sandbox import Capacity, WorkerView
from attacca.model.story import Moment
from attacca.model.supplies import AskPiece, AskSecrets, Piece, Prefetch, SecretChanged, SecretsTold, Stock

M = TypeVar("M")


class Send(msgspec.Struct, Generic[M], frozen=True, gc=False):
    """A core's command: give this message to that peer. No message says itself where it goes."""

    peer: str
    message: M


# control -> gateway and worker


class Catalogue(msgspec.Struct, frozen=True, tag=True, dict=True):
    """The whole state: the current revision of every function. Replaces what was known.

    Many workers of one process share it: what is looked up in it is counted once for all of them.
    """

    generation: int
    current: tuple[Revision, ...]

    @cached_property
    def by_function(self) -> Mapping[str, Revision]:
        return {revision.function: revision for revision in self.current}

    @cached_property
    def packed(self) -> msgspec.Raw:
        """As it goes over links of bytes: encoded once for all of them. Of many functions it takes milliseconds."""
        return msgspec.Raw(msgspec.msgpack.encode(self))

    @cached_property
    def reserving(self) -> tuple[Revision, ...]:
        """Those that want sandboxes whether anybody calls them or not."""
        return tuple(one for one in self.by_function.values() if one.settings.reserves)


class Deployed(msgspec.Struct, frozen=True, tag=True):
    """One function has a new current revision. A gap in `generation` means: ask for the Catalogue."""

    generation: int
    revision: Revision


class Deleted(msgspec.Struct, frozen=True, tag=True):
    """One function is gone; what runs of it may finish."""

    generation: int
    function: str


class Known(msgspec.Struct, frozen=True, tag=True):
    """A plane apart has learnt what was announced up to this generation."""

    peer: str  # who says so
    generation: int


class Leads(msgspec.Struct, frozen=True, tag=True):
    """Whoever says it leads by this term: the first word of control on each of its links, and said at least once a
    second. Who has heard of a later term leaves the link, and obeys nothing that came by it."""

    term: int


class Member(msgspec.Struct, frozen=True):
    """A worker that has joined control, and where gateways reach it."""

    worker: str
    address: str  # HOST:PORT


class Members(msgspec.Struct, frozen=True, tag=True):
    """All workers there are. For gateways, which dial them."""

    workers: tuple[Member, ...]


# between control and gateway


class GatewayJoined(msgspec.Struct, frozen=True, tag=True):
    """A gateway is there, new; `url`: where it answers functions."""

    name: str
    url: str = ""
    is_apart: bool = False  # what is announced takes its time to it


class Access(msgspec.Struct, frozen=True, tag=True):
    """Who may ask a gateway. `tokens`: SHA-256 of each. `is_uid_shared`: sandboxes may run as the server's own user.
    `admin_url`: where the admin API is."""

    tokens: tuple[str, ...]
    is_uid_shared: bool
    admin_url: str = ""


class AskCalls(msgspec.Struct, frozen=True, tag=True):
    """What has ended lately? At most `limit`; `function` empty: of all of them. `call`: that one alone, with its
    trace."""

    id: str
    function: str
    limit: int
    call: str = ""


class CallsTold(msgspec.Struct, frozen=True, tag=True):
    """The answer to the AskCalls of that id, the latest first."""

    id: str
    calls: tuple[Call, ...]


class GatewayLeft(msgspec.Struct, frozen=True, tag=True):
    """A gateway is gone."""

    name: str


# between control and worker: what control asks, and what workers answer or say by themselves


class Prewarm(msgspec.Struct, frozen=True, tag=True):
    """Make `count` more idle sandboxes of the function's current revision."""

    function: str
    count: int


class Evict(msgspec.Struct, frozen=True, tag=True):
    """Idle sandboxes of the function go; with `templates`, its templates too, so that the next start is cold.

    `is_renewal`: what they were made of has changed, so that those at work take nothing new, and go when it is done.
    """

    function: str
    templates: bool = False
    is_renewal: bool = False


class Cordon(msgspec.Struct, frozen=True, tag=True):
    """Say of yourself that you are given nothing new (`is_on`), until it is taken back; what comes is still taken."""

    worker: str
    is_on: bool


class Check(msgspec.Struct, frozen=True, tag=True):
    """Import the code of a revision that is not deployed yet; `handler` is what was asked for, or empty.

    The template that comes of it is kept for the deployment that follows.
    """

    id: str  # its asker's; the answer has it too
    revision: Revision


class Checked(msgspec.Struct, frozen=True, tag=True):
    """The answer to the Check of that id: the revision with what was found in it, or why it is refused.

    `error.code` is one of errors.py: bad_function, timeout, out_of_memory, start_failed, no_capacity.
    """

    id: str
    revision: Revision
    error: Failed | None = None
    logs: str = ""  # what the import printed
    timing: Timing = Timing()
    notes: tuple[str, ...] = ()  # what whoever deploys it should know


class AskView(msgspec.Struct, frozen=True, tag=True):
    """What is the worker doing, in full? `function`: with what it does for that function alone; empty: for none."""

    id: str
    function: str | None = None


class Viewed(msgspec.Struct, frozen=True, tag=True):
    """The answer to the AskView of that id."""

    id: str
    view: WorkerView


class AskStory(msgspec.Struct, frozen=True, tag=True):
    """What has happened lately to the invocation or the sandbox of that name?"""

    id: str
    subject: str


class StoryTold(msgspec.Struct, frozen=True, tag=True):
    """The answer to the AskStory of that id, in the order in which it happened."""

    id: str
    moments: tuple[Moment, ...]


class Logged(msgspec.Struct, frozen=True, tag=True):
    """A piece of what a function wrote. `invocation` is empty when it cannot be told which one wrote it."""

    function: str
    revision: str
    sandbox: str
    invocation: str
    stream: str  # stdout, stderr, or a level of `logging`
    text: str
    target: str = ""  # that it was told with: whoever collects samples has it too


class AskCatalogue(msgspec.Struct, frozen=True, tag=True):
    """Something was missed between `known` and `seen`: say the whole Catalogue."""

    known: int
    seen: int


class AskHeld(msgspec.Struct, frozen=True, tag=True):
    """Which code and bundles may still be read? What is not kept, and nobody has, is removed."""

    id: str


class Held(msgspec.Struct, frozen=True, tag=True):
    """The answer to the AskHeld of that id: what the worker's sandboxes and templates are of, by digest."""

    id: str
    worker: str
    names: tuple[str, ...]


# gateway -> worker


class Dispatch(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Run this. The worker answers with exactly one Ended. `worker` names who gets it, where there are several.

    `sandbox`: run it there and nowhere else; where that cannot be, the answer is NotBegun.
    """

    invocation: Invocation
    worker: str = ""
    sandbox: str = ""


class Body(msgspec.Struct, frozen=True, tag=True, gc=False):
    """More of a request body that was announced with `Request.more`."""

    id: str
    data: bytes
    last: bool


class Withdraw(msgspec.Struct, frozen=True, tag=True):
    """End it: if it waits, always; if it runs, only with `running`. `outcome` is what its Ended will say."""

    id: str
    running: bool
    outcome: Outcome


class Flow(msgspec.Struct, frozen=True, tag=True):
    """The reader of a streamed body is slow (`paused`) or has caught up. Sent against the stream."""

    id: str
    paused: bool


class WatchIdle(msgspec.Struct, frozen=True, tag=True):
    """Say what rests (Resting): now, and of each change from now on."""


# worker -> gateway


class Started(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The invocation left the queue and was handed to a sandbox. `timing.run` is still 0."""

    id: str
    sandbox: str
    start: Start
    why: str  # why this kind of start
    timing: Timing
    turn: str = ""  # why it had its turn then
    kept: str = ""  # why the sandbox was still there, if it was idle


class ResponseHead(msgspec.Struct, frozen=True, tag=True):
    """The first byte of a streamed answer."""

    id: str
    status: int
    headers: tuple[tuple[bytes, bytes], ...]


class ResponseBody(msgspec.Struct, frozen=True, tag=True, gc=False):
    id: str
    data: bytes


class Ended(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The last word on an invocation. `run_ms` is the handler's own time, measured in the sandbox."""

    id: str
    outcome: Outcome
    run_ms: float = 0.0


class Heartbeat(msgspec.Struct, frozen=True, tag=True):
    """What a worker is doing; at least once a second."""

    view: WorkerView


class Resting(msgspec.Struct, frozen=True, tag=True, gc=False):
    """So many sandboxes of the function are idle on the worker now. Said of each change, before what came of it, once
    a gateway wants to know."""

    worker: str
    function: str
    idle: int


class WorkerJoined(msgspec.Struct, frozen=True, tag=True):
    """A worker is there, new and with nothing to do: what an older one of its name had is lost."""

    view: WorkerView
    capacity: Capacity | None = None  # for control, which is not to let functions reserve more
    address: str = ""  # HOST:PORT, where gateways dial it; empty: it is joined to them already
    machine: Machine | None = None


class WorkerLeft(msgspec.Struct, frozen=True, tag=True):
    """A worker is gone, and everything it had with it."""

    worker: str
    why: str = ""


Announced = Catalogue | Deployed | Deleted
FromControl = (
    Announced | Prewarm | Evict | Cordon | Check | AskHeld | AskView | AskStory | AskLoads | Order | OfInstances
    | Faraway
)  # fmt: skip
ToGateway = (
    Announced | Members | Access | AskCalls | AskHistory | AskStory | AskAsync | AskCall | CallTold | MindingTold
    | Published | Doors
)  # fmt: skip
OfGateway = (
    GatewayJoined | Known | AskCatalogue | CallsTold | HistoryTold | StoryTold | AsyncTold | AskCall | CallTold
    | AskMinding | AskEndpoints | EndpointsKnown | Loads | DoorsKnown
)  # fmt: skip
Supplied = Piece | SecretsTold | SecretChanged | Access | Prefetch
Said = Leads | FromControl | ToGateway | Supplied | ToDomain  # by control
ToControl = (
    AskPiece | AskSecrets | Checked | Held | Viewed | Logged | WorkerJoined | Heartbeat | OfGateway | Reported
    | InstancesSaid | FromDomain | Carried | Torn | LoadsTold | Stock
)  # fmt: skip
ToWorker = Dispatch | Body | Withdraw | Flow | WatchIdle | FunctionReplied
FromWorker = (
    Started | ResponseHead | ResponseBody | Ended | Flow | Heartbeat | Resting | WorkerJoined | Refused
    | FunctionCalled | Spent
)  # fmt: skip
