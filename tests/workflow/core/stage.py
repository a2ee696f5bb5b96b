"""A domain with its workers on one clock: the core that decides, and the real worker cores on simulated runtimes."""

from collections.abc import Callable
from math import inf
from typing import Any

import msgspec

from attacca.errors import StateUnavailable
from attacca.kernel.clock import ManualClock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.events import BetweenInstances, Introduced
from attacca.model.function import PythonDirectory, Revision
from attacca.model.invocation import FunctionError, Invocation, Ok
from attacca.model.messages import Send
from attacca.model.workflow import Component, Output, Requirements, WorkflowSpec, WorkflowView
from attacca.policy.concurrency.fixed import Fixed
from attacca.policy.keepalive.ttl import Ttl
from attacca.policy.placement.random import Random
from attacca.policy.queueing.fcfs import Fcfs
from attacca.worker.carrying import carry_out
from attacca.worker.config import TelemetryConfig, WorkerConfig
from attacca.worker.core import invariants, view
from attacca.worker.core.events import (
    Command,
    Dial,
    NeighbourJoined,
    NeighbourSaid,
    PeerJoined,
    PeerLost,
    Received,
    Tick,
    Warn,
    Write,
)
from attacca.worker.core.reports import EventAsked, EventSent, StateOffered
from attacca.worker.core.worker import WorkerCore
from attacca.worker.runtime.scripted import Answer, ScriptedMachine, Times
from attacca.worker.runtime.simulated import SimulatedRuntime
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import (
    Announce,
    Before,
    Erase,
    Erased,
    MigrateAsked,
    NodeJoined,
    NodeLeft,
    Put,
    Reply,
    StartAsked,
    StopAsked,
    Stored,
    StoreFailed,
)
from attacca.workflow.core.events import Event as DomainEvent
from attacca.workflow.core.events import Tick as DomainTick
from attacca.workflow.core.keeping import NODES

Handler = Callable[["Node", str, str, bytes], bytes | None]  # its node, the instance, the kind of event, the data


class Node:
    """One worker. `handler` is what its event functions do."""

    def __init__(self, stage: "Stage", name: str, handler: Handler) -> None:
        self.stage, self.name = stage, name
        self.machine = ScriptedMachine(stage.clock, Times(run_ms=1.0), self._handle)
        self.runtime = SimulatedRuntime(self.machine, self.feed)
        self.core = WorkerCore(
            WorkerConfig(name=name, memory_mb=1000, telemetry=stage.telemetry), Fcfs(), Fixed(count=100),
            Ttl(idle_s=60.0), Ids(Streams(1).stream(name), name), 2, chance=Streams(2).stream(name),
        )  # fmt: skip
        self.handler = handler
        self.run_ms = 1.0
        self.handled: list[tuple[str, str, bytes]] = []
        self.logs: list[str] = []
        self.is_alive = True
        self.is_cut_from: set[str] = set()  # other workers
        self.is_led = True  # control and it hear each other
        self.warnings: list[str] = []
        self.instance = b"1"
        self._waiting: list[Any] = []
        self._is_busy = False

    def __repr__(self) -> str:
        return f"<Node {self.name}, {len(self.handled)} handled>"

    def _handle(self, revision: Revision, invocation: Invocation) -> Answer:
        request = invocation.request
        instance = invocation.id.rpartition("/")[0]
        self.handled.append((instance, request.method, request.body))
        try:
            reply = self.handler(self, instance, request.method, request.body)
        except ValueError as error:
            return Answer(run_ms=self.run_ms, outcome=FunctionError("ValueError", str(error)))
        return Answer(run_ms=self.run_ms, outcome=Ok(reply or b"", status=204 if reply is None else 200))

    def feed(self, event: Any) -> None:
        """One after the other, as on an event loop."""
        if not self.is_alive:
            return
        self._waiting.append(event)
        if self._is_busy:
            return
        self._is_busy = True
        while self._waiting:
            commands = self.core.handle(self.stage.clock.now(), self._waiting.pop(0))
            invariants.check(self.core)
            for command in commands:
                self._perform(command)
        self._is_busy = False

    def _perform(self, command: Command) -> None:
        match command:
            case Send():
                if isinstance(command.message, BetweenInstances):
                    self.stage.pass_on(self, command.peer, command.message)
                elif self.is_led:
                    self.stage.hear(command.message)
            case Warn():
                self.warnings.append(command.text)
            case Write():
                self.logs.append(command.line.text)
            case Dial():
                self.stage.join(self, command.worker)
            case _:
                carry_out(self.runtime, command)  # type: ignore[arg-type]


class Stage:
    def __init__(self, handler: Handler, nodes: int = 1, telemetry: TelemetryConfig | None = None) -> None:
        self.clock = ManualClock()
        self.telemetry = telemetry or TelemetryConfig()
        self.core = DomainCore(Random(), Streams(3).stream("placement"))
        self.store: dict[str, tuple[bytes, int]] = {}
        self.before = Before()  # as the store has it
        self.is_writing = True
        self.is_refusing = False  # to write or erase anything
        self.replies: dict[str, Any] = {}
        self.announced: list[Announce] = []
        self.nodes: dict[str, Node] = {}
        self.all_nodes: list[Node] = []  # those that are dead as well
        self._handler = handler
        self._asked = 0
        for number in range(1, nodes + 1):
            self.node(f"n{number}")

    def node(self, name: str) -> Node:
        node = self.nodes[name] = Node(self, name, self._handler)
        self.all_nodes.append(node)
        self.joined(node)
        return node

    def joined(self, node: Node) -> None:
        self.tell(NodeJoined(view.brief(node.core), f"{node.name}:1"))

    def kill(self, name: str) -> None:
        """Control notices when it is told."""
        self.nodes.pop(name).is_alive = False

    def lose(self, name: str) -> None:
        self.tell(NodeLeft(name))

    def cut_off(self, name: str) -> None:
        """Control gives it up, and it goes on."""
        node = self.nodes[name]
        node.is_led = False
        node.feed(PeerLost("control"))
        self.lose(name)

    def mend_control(self, name: str) -> None:
        node = self.nodes[name]
        node.is_led = True
        node.feed(PeerJoined("control"))
        self.joined(node)

    # What planes say to each other.

    def hear(self, message: Any) -> None:
        self.tell(message)

    def tell(self, event: DomainEvent) -> None:
        for command in self.core.handle(self.clock.now(), event):
            match command:
                case Send():
                    node = self.nodes.get(command.peer)
                    if node is not None and node.is_led:
                        node.feed(Received("control", command.message))
                case Put() if command.key == NODES:
                    self.before = msgspec.json.decode(command.value, type=Before)
                    self.tell(Stored(command.key, 1))
                case Put():
                    self._put(command)
                case Erase():
                    self._erase(command.key)
                case Announce():
                    self.announced.append(command)
                case Reply():
                    self.replies[command.id] = command.outcome

    def _put(self, put: Put) -> None:
        if self.is_refusing:
            self.tell(StoreFailed(put.key, StateUnavailable("it is gone", "")))
        elif self.is_writing:
            version = self.store.get(put.key, (b"", 0))[1] + 1
            self.store[put.key] = (put.value, version)
            self.tell(Stored(put.key, version))

    def _erase(self, key: str) -> None:
        if self.is_refusing:
            self.tell(StoreFailed(key, StateUnavailable("it is gone", ""), is_erase=True))
        else:
            self.store.pop(key, None)
            self.tell(Erased(key))

    def join(self, node: Node, other: str) -> None:
        if other in self.nodes and other not in node.is_cut_from:
            self.pass_on(node, other, Introduced(f"{node.name}:1"))
            node.feed(NeighbourJoined(other))

    def mend(self, node: Node, other: str) -> None:
        """The link comes back."""
        node.is_cut_from.discard(other)
        node.feed(NeighbourJoined(other))

    def pass_on(self, node: Node, other: str, message: BetweenInstances) -> None:
        there = self.nodes.get(other)
        if there is not None and other not in node.is_cut_from:
            there.feed(NeighbourSaid(node.name, node.instance, message))

    # What is asked for.

    def start(self, *components: Component, name: str = "demo") -> str:
        """Its id."""
        self._asked += 1
        number = str(self._asked)
        self.tell(StartAsked(number, WorkflowSpec(name=name, components=components), 0.0))
        self.play(1.0)
        outcome = self.replies[number]
        assert isinstance(outcome, WorkflowView), outcome
        return outcome.id

    def stop(self, workflow: str) -> Any:
        self._asked += 1
        self.tell(StopAsked(str(self._asked), workflow))
        self.play(10.0)
        return self.replies[str(self._asked)]

    def migrate(self, workflow: str, component: str, *to: str) -> str:
        """The id of its answer, which comes when it has moved."""
        self._asked += 1
        self.tell(MigrateAsked(str(self._asked), workflow, component, to))
        return str(self._asked)

    def play(self, seconds: float) -> None:
        until = self.clock.now() + seconds
        while True:
            nodes = [node for node in self.nodes.values() if node.is_alive]
            dues = [due for node in nodes if (due := node.machine.next_at()) is not None]
            mine = self.core.alarm.at
            at = max(min([*dues, *(node.core.alarm.at for node in nodes), mine], default=inf), self.clock.now())
            if at > until:
                break
            self.clock.time = at
            for node in nodes:
                while node.machine.advance():
                    pass
                if node.core.alarm.at <= at:
                    node.feed(Tick())
            if mine <= at:
                self.tell(DomainTick())
        self.clock.time = until

    def at(self, workflow: str, component: str) -> tuple[str, str]:
        """Its instance, and the node that it is on."""
        part = self.core.workflows[workflow].parts[component]
        return part.instance, part.worker


def function(name: str, *, on: str = "", payload: str | None = None, **outputs: str) -> Component:
    return Component(
        name=name, artefact=PythonDirectory(f"code-{name}"), payload=payload,
        outputs={channel: Output(to=tuple(to.split("+"))) for channel, to in outputs.items()},
        requires=Requirements(nodes=tuple(on.split("+")) if on else ()),
    )  # fmt: skip


def sends(node: Node, instance: str, output: str, data: bytes, *, seconds: float = 0.0) -> None:
    node.feed(EventSent(instance, output, False, data, seconds))  # noqa: FBT003


def calls(node: Node, instance: str, output: str, data: bytes, asked: int = 1) -> None:
    node.feed(EventAsked(instance, asked, output, False, data))  # noqa: FBT003


def syncs(node: Node, instance: str, state: bytes) -> None:
    node.feed(StateOffered(instance, 1, state))
