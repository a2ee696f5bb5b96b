"""What happened to one invocation or one sandbox, line by line: every event and every order in which it is named."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from attacca.model.function import Revision
from attacca.model.invocation import Invocation, Ok, Timing
from attacca.model.messages import Send
from attacca.sim.engine import Engine
from attacca.sim.worker import Handle, SimulatedWorker
from attacca.worker.core.events import Command, Event, Received

DULL: Final = (Revision, Ok)  # the same for everyone
NAMES: Final = ("sandbox", "template", "invocation", "id")
WORDS: Final = {
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
    "DropTemplate": "template dropped",
}


class Story:
    """`subject`: the number of an invocation, or a sandbox's or template's name."""

    def __init__(self, engine: Engine, subject: str) -> None:
        self.subject = subject
        self.lines: list[str] = []
        self._engine = engine

    def wrap(self, node: SimulatedWorker, handle: Handle) -> Handle:
        def told(now: float, event: Event) -> list[Command]:
            commands = handle(now, event)
            for fact in (event, *commands):
                said = fact.message if isinstance(fact, Received | Send) else fact
                if self._is_named(said):
                    self.tell(node.name, said)
            return commands

        return told

    def tell(self, where: str, fact: Any) -> None:
        kind = type(fact).__name__
        about = ", ".join(_about(fact))
        self.lines.append(f"{self._engine.now:14.6f}  {where:<5} {WORDS.get(kind, kind):<24} {about}".rstrip())

    def _is_named(self, fact: Any) -> bool:
        again = f"{self.subject}~"
        return any(name == self.subject or name.startswith(again) for name in _names(fact))


def _names(fact: object) -> Iterator[str]:
    for name in NAMES:
        value = getattr(fact, name, None)
        if isinstance(value, Invocation):
            yield value.id
        elif isinstance(value, str):
            yield value


def _about(fact: Any) -> Iterator[str]:
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
