"""The words that planes say to each other. In one process they are passed as they are; apart, as frames."""

from collections.abc import Mapping
from functools import cached_property
from typing import Generic, TypeVar

import msgspec

from attacca.model.function import Revision
from attacca.model.invocation import Failed, Invocation, Outcome, Start, Timing
from attacca.model.sandbox import Capacity, WorkerView
from attacca.model.story import Moment

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
    """What is the worker doing, in full?"""

    id: str


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


# between control and worker: sandboxes of functions whose scheduling is `cluster`


class StartSandbox(msgspec.Struct, frozen=True, tag=True):
    """Make one of that revision, under this name. Ends in SandboxUp, and much later in SandboxDown; or in SandboxDown.

    `is_ahead`: nobody waits for it. The worker neither stops it by itself nor runs in it what was not sent to it.
    """

    id: str
    function: str
    revision: str  # its id
    why: str = ""
    is_ahead: bool = False


class StopSandbox(msgspec.Struct, frozen=True, tag=True):
    """It takes nothing new, and ends with what runs in it. Ends in SandboxDown, also when there is no such sandbox."""

    id: str
    why: str = ""


class AskSandboxes(msgspec.Struct, frozen=True, tag=True):
    """Which sandboxes that control has ordered are there? From now on whoever asks hears of them."""


class SandboxUp(msgspec.Struct, frozen=True, tag=True):
    """It can take invocations. `timing`: what making it took; `queued` is the wait for room."""

    worker: str
    id: str
    timing: Timing = Timing()


class SandboxDown(msgspec.Struct, frozen=True, tag=True):
    """It is no more, or was never made. `error.code` is one of errors.py; no_capacity: there is no room for it now."""

    worker: str
    id: str
    error: Failed


class Ordered(msgspec.Struct, frozen=True):
    """One sandbox that control has ordered. It takes invocations, or is being made."""

    id: str
    function: str
    revision: str
    is_up: bool
    timing: Timing = Timing()


class Sandboxes(msgspec.Struct, frozen=True, tag=True):
    """The answer to AskSandboxes: all of them, but for those that end."""

    worker: str
    ordered: tuple[Ordered, ...]


# between control and gateways: where functions whose scheduling is `cluster` can run, and how many want to


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """A sandbox that takes invocations, so many at once; `timing`: what making it took."""

    sandbox: str
    function: str
    revision: str
    worker: str
    slots: int
    timing: Timing = Timing()


class Endpoints(msgspec.Struct, frozen=True, tag=True):
    """All of them. `is_whole` False: control has begun just now, and others may be there that it has not heard of."""

    generation: int
    endpoints: tuple[Endpoint, ...]
    is_whole: bool = True


class EndpointsChanged(msgspec.Struct, frozen=True, tag=True):
    """These are new, and those, by sandbox, take nothing any more. A gap in `generation` means: AskEndpoints."""

    generation: int
    added: tuple[Endpoint, ...] = ()
    removed: tuple[str, ...] = ()


class StartsFail(msgspec.Struct, frozen=True, tag=True):
    """No sandbox of the revision can be made, wherever that was tried: who waits for one, waits in vain."""

    function: str
    revision: str
    error: Failed


class AskEndpoints(msgspec.Struct, frozen=True, tag=True):
    """Say all Endpoints now, and what changes from now on."""


class Load(msgspec.Struct, frozen=True, gc=False):
    """What one gateway has of a function now. Times in seconds; 0 while nothing is known."""

    function: str
    running: int  # dispatched to a sandbox
    waiting: int  # held until a sandbox has a free slot
    waited_s: float = 0.0  # how long the first of those has waited
    arrivals: int = 0  # so far
    exec_s: float = 0.0  # the handler's own time, a moving average


class Loads(msgspec.Struct, frozen=True, tag=True):
    """Of the functions of which it has changed."""

    of: tuple[Load, ...]


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


class NotBegun(msgspec.Struct, frozen=True, tag=True):
    """The last word on an invocation that was sent to a sandbox and has not been begun there.

    `is_full`: others have all of its slots, and SlotFree follows when one of them has ended. Otherwise it takes nothing
    any more.
    """

    id: str
    sandbox: str
    is_full: bool = False


class SlotFree(msgspec.Struct, frozen=True, tag=True):
    """A slot of the sandbox has become free. For those who were told that it is full, once each."""

    sandbox: str


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


class WorkerLeft(msgspec.Struct, frozen=True, tag=True):
    """A worker is gone, and everything it had with it."""

    worker: str
    why: str = ""


Announced = Catalogue | Deployed | Deleted
FromControl = (
    Announced | Prewarm | Evict | Check | AskHeld | AskView | AskStory | StartSandbox | StopSandbox | AskSandboxes
)
AboutEndpoints = Endpoints | EndpointsChanged | StartsFail
ToGateway = Announced | AboutEndpoints
Said = FromControl | ToGateway  # by control
ToControl = (
    Checked | Held | Viewed | StoryTold | Logged | WorkerJoined | Heartbeat | AskCatalogue | SandboxUp | SandboxDown
    | Sandboxes | AskEndpoints | Loads
)  # fmt: skip
ToWorker = Dispatch | Body | Withdraw | Flow | WatchIdle
FromWorker = (
    Started | ResponseHead | ResponseBody | Ended | Flow | Heartbeat | Resting | WorkerJoined | NotBegun | SlotFree
)  # fmt: skip
