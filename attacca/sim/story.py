"""What happened to one invocation or one sandbox, line by line: every event and every order in which it is named."""

from typing import Any

from attacca.model.messages import Send
from attacca.model.story import about, is_named, what
from attacca.sim.engine import Engine
from attacca.sim.platform.worker import Handle, SimulatedWorker
from attacca.worker.core.events import Command, Event, Received


class Story:
    """`subject`: the number of an invocation, or a sandbox's or template's name."""

    def __init__(self, engine: Engine, subject: str) -> None:
        self.subject = subject
        self.lines: list[str] = []
        self._engine = engine

    def __repr__(self) -> str:
        return f"<Story of {self.subject}: {len(self.lines)} lines>"

    def wrap(self, node: SimulatedWorker, handle: Handle) -> Handle:
        def told(now: float, event: Event) -> list[Command]:
            commands = handle(now, event)
            for fact in (event, *commands):
                said = fact.message if isinstance(fact, Received | Send) else fact
                if is_named(said, self.subject):
                    self.tell(node.name, said)
            return commands

        return told

    def tell(self, where: str, fact: Any) -> None:
        self.lines.append(f"{self._engine.now:14.6f}  {where:<5} {what(fact):<24} {about(fact)}".rstrip())
