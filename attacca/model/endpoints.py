"""What planes say about sandboxes that control has made: workers make them, gateways send to them."""

import msgspec

from attacca.model.invocation import Failed, Timing

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


class EndpointsKnown(msgspec.Struct, frozen=True, tag=True):
    """A gateway apart sends to all endpoints that were published up to this generation. Said when some are new."""

    generation: int


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


# worker -> gateway: of what was sent to one sandbox and to no other


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


Order = StartSandbox | StopSandbox | AskSandboxes
Reported = SandboxUp | SandboxDown | Sandboxes
Published = Endpoints | EndpointsChanged | StartsFail
Refused = NotBegun | SlotFree
