"""What happened to one invocation or one sandbox, told from the events and commands in which it is named.

A fact is an event or a command as it is; or, where that holds more than a story needs, a tuple of its kind, its two
names, and what is to be said of it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

import msgspec

from attacca.model.function import Revision
from attacca.model.invocation import FunctionError, Invocation, Ok, Outcome, Timing

DULL: Final = (Revision, Ok)  # the same for everyone
NAMES: Final = ("sandbox", "template", "invocation", "id")
WORDS: Final = {
    "Arrived": "arrived at the gateway",
    "Sent": "sent to a worker",
    "Dispatch": "is given to the worker",
    "Withdraw": "is to be given up",
    "Started": "handed to a sandbox",
    "Ended": "ended",
    "Run": "begins to run",
    "RunEnded": "has run",
    "MakeSandbox": "sandbox ordered",
    "SandboxReady": "sandbox ready",
    "SandboxFailed": "sandbox never became ready",
    "SandboxGone": "sandbox gone",
    "Kill": "sandbox killed",
    "Stop": "is given up in its sandbox",
    "MakeTemplate": "template ordered",
    "TemplateReady": "template ready",
    "TemplateFailed": "template never became ready",
    "TemplateGone": "template gone",
    "StartSandbox": "sandbox ordered by control",
    "StopSandbox": "sandbox stopped by control",
    "SandboxUp": "takes invocations",
    "SandboxDown": "takes no invocations",
    "Deployed": "deployed",
    "Deleted": "deleted",
    "WorkerJoined": "worker joined",
    "WorkerLeft": "worker left",
    "GatewayJoined": "gateway joined",
    "GatewayLeft": "gateway left",
    "DropTemplate": "template dropped",
}
REMEMBERED: Final = 1024  # events of one core: what is kept is memory that no invocation finds warm
ABOUT_MOST: Final = 300  # characters
MOMENTS_MOST: Final = 1000  # of one story

Fact = Any
Tell = Callable[[Fact], None]
E = TypeVar("E")
C = TypeVar("C")


class Moment(msgspec.Struct, frozen=True):
    """A line of a story. `at` in seconds since 1970."""

    at: float
    where: str
    what: str
    about: str = ""


class Recent:
    """The latest events of a core, and what it ordered. Whoever adds to `entries` leaves out what is heavy.

    An entry is the time, a fact and the facts that followed from it; or the time and the parts of a single fact, which
    is the lightest there is.
    """

    __slots__ = ("entries",)

    def __init__(self, most: int = REMEMBERED) -> None:
        self.entries: deque[tuple[Any, ...]] = deque(maxlen=most)

    def __repr__(self) -> str:
        return f"<Recent {len(self.entries)} of {self.entries.maxlen} events>"

    def tell(self, subject: str, where: str, offset_s: float) -> tuple[Moment, ...]:
        """`offset_s`: from the core's clock to seconds since 1970. Of a long story, the end."""
        told: deque[Moment] = deque(maxlen=MOMENTS_MOST)
        for entry in self.entries:
            now = entry[0]
            for fact in facts(entry):
                if is_named(fact, subject):
                    told.append(Moment(now + offset_s, where, what(fact), about(fact)[:ABOUT_MOST]))
        return tuple(told)


def facts(entry: tuple[Any, ...]) -> list[Fact]:
    _, first, *rest = entry
    return [(first, *rest)] if type(first) is str else [first, *rest[0]]


def aloud(handle: Callable[[float, E], list[C]], recent: Recent, tell: Tell | None) -> Callable[[float, E], list[C]]:
    """A core's `handle` that remembers there; what it remembers is told at once."""
    if tell is None:
        return handle
    entries = recent.entries

    def handled(now: float, event: E) -> list[C]:
        before = entries[-1] if entries else None
        commands = handle(now, event)
        latest = entries[-1] if entries else None
        if latest is not None and latest is not before:
            for fact in facts(latest):
                if fact is not None:
                    tell(fact)
        return commands

    return handled


def names(fact: Fact) -> list[str]:
    """Of whom it is: an invocation, a sandbox, or both."""
    return [name for name in _names(fact) if name]


def is_named(fact: Fact, subject: str) -> bool:
    """By its name, or that of a later attempt."""
    again = f"{subject}~"
    return any(name == subject or name.startswith(again) for name in _names(fact))


def what(fact: Fact) -> str:
    kind = fact[0] if type(fact) is tuple else type(fact).__name__
    return WORDS.get(kind, kind)


def about(fact: Fact) -> str:
    if type(fact) is not tuple:
        return ", ".join(filter(None, _about(fact)))
    return ", ".join(f"{part:.3f} ms" if isinstance(part, float) else str(part) for part in fact[2:] if part)


def outcome(of: Outcome) -> str:
    """In so many words as fit in a line."""
    if isinstance(of, Ok):
        return "ok"
    return f"{of.type if isinstance(of, FunctionError) else of.code}: {of.message[:ABOUT_MOST]}"


def _names(fact: Fact) -> Iterable[str]:
    if type(fact) is tuple:
        yield from fact[1:3]
        return
    for name in NAMES:
        value = getattr(fact, name, None)
        if isinstance(value, Invocation):
            yield value.id
        elif isinstance(value, str):
            yield value


def _about(fact: Fact) -> Iterator[str]:
    for name in fact.__struct_fields__:
        value = getattr(fact, name)
        if isinstance(value, Timing):
            yield " ".join(f"{part} {spent:.3f} ms" for part, spent in msgspec.structs.asdict(value).items() if spent)
        elif isinstance(value, Invocation):
            yield f"invocation {value.id} of {value.function}"
        elif isinstance(value, float):
            yield f"{name} {value:.3f}"
        elif value is not None and value != "" and not isinstance(value, DULL):
            yield f"{name} {getattr(value, 'code', value)}"
