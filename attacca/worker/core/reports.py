"""What a runtime reports to its worker: facts about sandboxes, templates and runs."""

from collections.abc import Callable

import msgspec

from attacca.model.function import EventShape, Signature
from attacca.model.invocation import Making, Outcome
from attacca.model.messages import Logged

# What a runtime reports. Every order ends in exactly one of its reports, also when its process dies.


class TemplateReady(msgspec.Struct, frozen=True):
    """The code is imported. `handler`, `signature` and `event` are what was found in it."""

    template: str
    handler: str
    signature: Signature
    memory_mb: int  # what the paused template holds
    made: Making
    event: EventShape = EventShape.PLAIN
    logs: str = ""  # what the import printed
    unfit: str = ""  # why nothing can be forked from it, although the code was imported; it should be dropped
    notes: tuple[str, ...] = ()  # what whoever deploys it should know


class TemplateFailed(msgspec.Struct, frozen=True):
    """The import raised, took too long, or the sandbox around it could not be made; or it was dropped before that."""

    template: str
    code: str  # of errors.py: bad_function, start_failed, out_of_memory, timeout
    message: str
    traceback: str = ""
    logs: str = ""
    hint: str = ""


class TemplateGone(msgspec.Struct, frozen=True):
    """A template that was ready has ended; every sandbox forked from it has ended with it."""

    template: str
    why: str


class SandboxReady(msgspec.Struct, frozen=True, gc=False):
    """It can take invocations."""

    sandbox: str
    made: Making


class SandboxFailed(msgspec.Struct, frozen=True):
    """It never became ready, also when it was killed before. With a traceback, trying again will not help."""

    sandbox: str
    code: str  # of errors.py
    message: str
    traceback: str = ""


class SandboxGone(msgspec.Struct, frozen=True):
    """A ready sandbox's process has ended, whether by kill() or by itself. `code` is sandbox_lost or out_of_memory.

    Reported once per sandbox that was ready; only then is its memory free. Invocations in it are lost: no RunEnded
    follows for them. `not_begun`: what it was handed ahead and has not begun.
    """

    sandbox: str
    code: str
    message: str
    not_begun: tuple[str, ...] = ()


class RunEnded(msgspec.Struct, frozen=True, gc=False):
    sandbox: str
    invocation: str
    outcome: Outcome
    run_ms: float


class TakenBack(msgspec.Struct, frozen=True):
    """The sandbox has not begun these, and will not: they were handed to it ahead, or just before its end. `by_itself`:
    nobody had asked; it listens while it runs, and so hears of what comes next too early."""

    sandbox: str
    invocations: tuple[str, ...]
    by_itself: bool = False


class RunHead(msgspec.Struct, frozen=True):
    sandbox: str
    invocation: str
    status: int
    headers: tuple[tuple[bytes, bytes], ...]


class RunBody(msgspec.Struct, frozen=True, gc=False):
    sandbox: str
    invocation: str
    data: bytes


class RunFlow(msgspec.Struct, frozen=True):
    """The sandbox reads its request bodies slowly (`paused`) or has caught up."""

    sandbox: str
    invocation: str
    paused: bool


class EventSent(msgspec.Struct, frozen=True, gc=False):
    """An instance sends an event to one of its outputs, or to an instance that it knows; perhaps later."""

    sandbox: str
    target: str
    is_instance: bool
    data: bytes
    seconds: float = 0.0


class EventAsked(msgspec.Struct, frozen=True, gc=False):
    """The same, and it waits for the reply; `asked` is the id that it has chosen. `seconds` 0: it says no limit."""

    sandbox: str
    asked: int
    target: str
    is_instance: bool
    data: bytes
    seconds: float = 0.0


class StateOffered(msgspec.Struct, frozen=True, gc=False):
    """An instance wants its state to be kept, and waits for it."""

    sandbox: str
    asked: int
    state: bytes


class DevicesSeen(msgspec.Struct, frozen=True):
    """These accelerators are there now, and no others."""

    names: tuple[str, ...]


OfEvents = EventSent | EventAsked | StateOffered
Report = (
    RunEnded
    | TakenBack
    | RunHead
    | RunBody
    | RunFlow
    | Logged
    | OfEvents
    | SandboxReady
    | SandboxFailed
    | SandboxGone
    | TemplateReady
    | TemplateFailed
    | TemplateGone
    | DevicesSeen
)
Sink = Callable[[Report], None]


def advice(code: str) -> str:
    """What to do about an end of that code."""
    match code:
        case "out_of_memory":
            return "raise memory_mb of the function, or make it need less"
        case "sandbox_lost":
            return "its process ended under the invocation; `attacca logs` shows what it wrote last"
        case "no_capacity":
            return "raise the worker's limit of open files (ulimit -n, LimitNOFILE=), or add a worker"
        case "timeout":
            return "make the module import faster, or raise the limit"
        case _:
            return "the traceback says where; `attacca logs` shows what it wrote"
