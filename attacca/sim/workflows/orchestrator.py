"""The orchestrator of a simulated domain: the same core, with a store that keeps what it is told, and restarts."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from attacca.errors import AttaccaError
from attacca.kernel.drive import Drive, raise_refused
from attacca.kernel.rand import Streams
from attacca.kernel.registry import build
from attacca.load.workload.scenario import Distribution, Scenario
from attacca.model.workflow import WorkflowSpec, WorkflowView
from attacca.policy.placement import PLACEMENT
from attacca.sim.engine import Engine, EngineTimer
from attacca.sim.platform.network import Channel
from attacca.sim.workflows.node import SimulatedNode
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import (
    Command,
    Erase,
    Event,
    HandedOver,
    NodeJoined,
    NodeLeft,
    NodeSeen,
    Put,
    Record,
    Reply,
    Reported,
    Restored,
    StartAsked,
    StateRecord,
    StopAsked,
    Stored,
    Tick,
)

WORKFLOWS, STATES = "workflows/", "workflow-states/"
Answered = Callable[[str, WorkflowView | AttaccaError | None], None]


class Orchestrator:
    def __init__(
        self, scenario: Scenario, engine: Engine, nodes: Mapping[str, SimulatedNode], answered: Answered
    ) -> None:
        """
        Raises:
            BadConfig: no such placement policy, or not with these options.
        """
        choice = scenario.system.placement
        self._placement = build(PLACEMENT, choice.policy, choice.options, "attacca.policy.placement")
        self._scenario, self._engine, self._nodes, self._answered = scenario, engine, nodes, answered
        self.store: dict[str, tuple[bytes, int]] = {}
        self._timer = EngineTimer(engine)
        self._said = 0
        self.is_up = False
        self.starts = 0
        self._to = {name: self._channel(f"to/{name}", node.hear_control) for name, node in nodes.items()}
        self._from = {name: self._channel(f"from/{name}", self._hear) for name in nodes}
        hardware = scenario.hardware
        self._disk = self._channel("store", self._kept, hardware.store)
        self._missed: list[Event] = []  # what was asked while it was down
        self._begin()

    def __repr__(self) -> str:
        return f"<Orchestrator {'up' if self.is_up else 'down'}: {self.starts} starts, {len(self.store)} kept>"

    def _channel(self, name: str, deliver: Callable[[Any], None], network: Distribution | None = None) -> Channel:
        hardware = self._scenario.hardware
        hardware = replace(hardware, network=network or hardware.control, network_loss=0.0)
        return Channel(self._engine, hardware, self._scenario.seed, f"domain/{name}", deliver)

    def _begin(self) -> None:
        chance = Streams(self._scenario.seed).stream(f"domain/{self.starts}")
        self.core = DomainCore(self._placement, chance)
        self.drive: Drive[Event, Command] = Drive(
            self.core.handle, self.core.alarm, self._perform, self._now, self._timer, Tick(), raise_refused
        )
        self.is_up = True
        self.starts += 1

    def _now(self) -> float:
        return self._engine.now

    # What nodes say, and what becomes of them.

    def join(self, node: SimulatedNode) -> None:
        if self.is_up:
            self.drive.feed(NodeJoined(node.view(), f"{node.name}:1"))

    def see(self, node: SimulatedNode) -> None:
        if self.is_up:
            self.drive.feed(NodeSeen(node.view()))

    def lose(self, name: str) -> None:
        if self.is_up:
            self.drive.feed(NodeLeft(name))

    def say(self, node: SimulatedNode, message: object) -> None:
        """What is said while nobody listens is lost with its link."""
        if self.is_up:
            self._said += 1
            self._from[node.name].send((self.starts, message), self._said)

    def _hear(self, said: tuple[int, object]) -> None:
        starts, message = said
        if self.is_up and starts == self.starts and isinstance(message, Reported):
            self.drive.feed(message)

    # What is asked for.

    def start(self, number: int, spec: WorkflowSpec) -> None:
        self._ask(StartAsked(str(number), spec, self._engine.now))

    def stop(self, number: int, workflow: str) -> None:
        self._ask(StopAsked(f"-{number}", workflow))

    def _ask(self, event: Event) -> None:
        if self.is_up:
            self.drive.feed(event)
        else:
            self._missed.append(event)

    # Restarts.

    def crash(self) -> None:
        """Whoever waits for an answer asks again."""
        self.is_up = False
        self.drive.stop()

    def restart(self) -> None:
        """With nothing but what is in the store."""
        self._begin()
        records = [
            (msgspec.json.decode(value, type=Record), version)
            for key, (value, version) in self.store.items()
            if key.startswith(WORKFLOWS)
        ]
        states = [
            (msgspec.json.decode(value, type=StateRecord), version)
            for key, (value, version) in self.store.items()
            if key.startswith(STATES)
        ]
        self.drive.feed(Restored(tuple(records), tuple(states)))
        for node in self._nodes.values():
            if node.is_up:
                self.join(node)
        missed, self._missed = self._missed, []
        for event in missed:
            self._ask(event)

    # What it wants.

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            self._said += 1
            match command:
                case Put() | Erase():
                    self._disk.send((self.starts, command), self._said)
                case Reply():
                    assert not isinstance(command.outcome, HandedOver), "there is no other domain"
                    self._answered(command.id, command.outcome)
                case _:
                    node = self._nodes.get(command.peer)
                    if node is not None and node.is_up:
                        self._engine_send(node, command.message)

    def _engine_send(self, node: SimulatedNode, message: Any) -> None:
        """A link does not outlive the process at its end."""
        self._to[node.name].send(message, self._said)

    def _kept(self, told: tuple[int, Put | Erase]) -> None:
        starts, command = told
        if isinstance(command, Erase):
            self.store.pop(command.key, None)
            return
        version = self.store.get(command.key, (b"", 0))[1] + 1
        self.store[command.key] = (command.value, version)
        if self.is_up and starts == self.starts:
            self.drive.feed(Stored(command.key, version))
