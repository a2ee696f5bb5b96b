"""The orchestrator of a simulated domain: the same core, with a store that keeps what it is told, and restarts.

Each node has a link to it. Where that is cut, what is said waits, as with TCP, until it is mended or one of both has
heard nothing for `silent_s`: then the link is given up, and the node with it, until it has another.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from attacca.errors import AttaccaError, StateUnavailable
from attacca.kernel.drive import Drive, raise_refused
from attacca.kernel.rand import Streams
from attacca.kernel.registry import build
from attacca.load.workload.scenario import Distribution, Scenario
from attacca.model.events import AskInstances, Carried, InstanceView, NodeGone, Torn
from attacca.model.sandbox import WorkerView
from attacca.model.workflow import WorkflowSpec, WorkflowView
from attacca.policy.placement import PLACEMENT
from attacca.sim.engine import Engine, EngineTimer
from attacca.sim.platform.network import Channel
from attacca.sim.workflows.node import SimulatedNode
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import (
    Announce,
    Before,
    Command,
    Erase,
    Erased,
    Event,
    HandedOver,
    MigrateAsked,
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
    StoreFailed,
    Tick,
)
from attacca.workflow.core.graph import Part
from attacca.workflow.core.intents import IntentsRequest, Migrate, Uncordon, judge
from attacca.workflow.core.keeping import NODES, STATES, WORKFLOWS
from attacca.workflow.core.state import DomainState, Known, domain_state

Answered = Callable[[str, WorkflowView | AttaccaError | None], None]
TO, FROM = "to", "from"  # a node


class Orchestrator:
    def __init__(
        self,
        scenario: Scenario,
        engine: Engine,
        nodes: Mapping[str, SimulatedNode],
        answered: Answered,
        name: str = "domain",
    ) -> None:
        """
        Raises:
            BadConfig: no such placement policy, or not with these options.
        """
        choice = scenario.system.placement
        self._placement = build(PLACEMENT, choice.policy, choice.options, "attacca.policy.placement")
        self._scenario, self._engine, self.nodes, self._answered = scenario, engine, nodes, answered
        self._name = name
        # Of a federation: hear of its answers, of what is kept, of what other domains are to be told, and of nodes.
        self.replied: Callable[[str, Any], None] = _nothing
        self.kept: Callable[[str], None] = _nothing
        self.announced: Callable[[Announce], None] = _nothing
        self.carried: Callable[[Carried | Torn], None] = _nothing
        self.came: Callable[[str], None] = _nothing
        self.went: Callable[[str], None] = _nothing
        self.store: dict[str, tuple[bytes, int]] = {}
        self._timer = EngineTimer(engine)
        self._said = 0
        self.is_up = False
        self.starts = 0
        self._to = {name: self._channel(f"to/{name}", self._arrive) for name in nodes}
        self._from = {name: self._channel(f"from/{name}", self._hear) for name in nodes}
        hardware = scenario.hardware
        self._disk = self._channel("store", self._kept, hardware.store)
        self.is_store_down = 0  # so many faults say so
        self._missed: list[Event] = []  # what was asked while it was down
        self._count = 0
        self._links: dict[str, int] = {}  # by node: which one of all there were
        self._heard: dict[str, float] = {}  # when it said something last
        self._cuts: dict[tuple[str, str], float] = {}  # by node and way: since when nothing comes through
        self._held: dict[tuple[str, str], list[Any]] = {}  # what waits there
        self._seen: dict[str, InstanceView] = {}
        self._views: dict[str, WorkerView] = {}
        self._known: Known = {}
        self.given_up: dict[str, str] = {}  # instances whose nodes were, and which: others have their places
        self.fenced: dict[str, set[str]] = {}  # by node: of these, those that it has been told of
        self.obeyed = self.refused = 0  # intents
        self._begin()

    has_given_up = False  # a domain

    def __repr__(self) -> str:
        return f"<Orchestrator {'up' if self.is_up else 'down'}: {self.starts} starts, {len(self.store)} kept>"

    def _channel(self, name: str, deliver: Callable[[Any], None], network: Distribution | None = None) -> Channel:
        hardware = self._scenario.hardware
        hardware = replace(hardware, network=network or hardware.control, network_loss=0.0)
        return Channel(self._engine, hardware, self._scenario.seed, f"{self._name}/{name}", deliver)

    def _begin(self) -> None:
        chance = Streams(self._scenario.seed).stream(f"{self._name}/{self.starts}")
        self.core = DomainCore(self._placement, chance)
        self.drive: Drive[Event, Command] = Drive(
            self.core.handle, self.core.alarm, self._perform, self._now, self._timer, Tick(), raise_refused
        )
        self.is_up = True
        self.starts += 1

    def _now(self) -> float:
        return self._engine.now

    # Links.

    def join(self, node: SimulatedNode) -> None:
        """It dials, and is heard if nothing lies between."""
        if self.is_up and node.is_up and not any((node.name, way) in self._cuts for way in (TO, FROM)):
            self._count += 1
            self._links[node.name] = self._count
            self._heard[node.name] = self._engine.now
            self._views[node.name] = node.view()
            self.fenced.pop(node.name, None)
            node.lead()
            self.drive.feed(NodeJoined(node.view(), f"{node.name}:1"))
            self.came(node.name)

    def lose(self, name: str) -> None:
        if self._links.pop(name, None) is not None and self.is_up:
            self.nodes[name].leave_alone()
            self._views.pop(name, None)
            for way in (TO, FROM):
                self._held.pop((name, way), None)
            self._give_up(name)  # also when there is nobody left who could be told
            self.drive.feed(NodeLeft(name))
            self.went(name)

    def cut(self, name: str, ways: tuple[str, ...]) -> None:
        for way in ways:
            self._cuts.setdefault((name, way), self._engine.now)

    def mend(self, name: str, ways: tuple[str, ...]) -> None:
        """What has waited comes, in its order; where the link was given up, the node dials."""
        for way in ways:
            self._cuts.pop((name, way), None)
            for message in self._held.pop((name, way), ()):
                (self._arrive if way == TO else self._hear)(message)
        if name not in self._links:
            self.join(self.nodes[name])

    @property
    def is_whole(self) -> bool:
        """Every node has its link."""
        return self.is_up and not self._cuts and all(name in self._links for name in self.nodes)

    def beat(self) -> None:
        """Each node says how it is; who has said nothing for too long is given up."""
        now, silent_s = self._engine.now, self._scenario.system.silent_s
        for node in self.nodes.values():
            if node.is_up and node.name not in self._links:
                self.join(node)
            elif node.is_up:
                self.say(node, node.view())
        for name in list(self._links):
            deaf_since = self._cuts.get((name, TO), now)
            if now - self._heard[name] > silent_s or now - deaf_since > silent_s:
                self.lose(name)

    def say(self, node: SimulatedNode, message: object) -> None:
        """What is said while nobody listens is lost with its link."""
        link = self._links.get(node.name)
        if self.is_up and link is not None:
            self._said += 1
            self._from[node.name].send((node.name, link, message), self._said)

    def _hear(self, said: tuple[str, int, object]) -> None:
        name, link, message = said
        if not self.is_up or self._links.get(name) != link:
            return
        if (name, FROM) in self._cuts:
            self._held.setdefault((name, FROM), []).append(said)
            return
        self._heard[name] = self._engine.now
        if isinstance(message, WorkerView):
            self._views[name] = message
            self.drive.feed(NodeSeen(message))
        elif isinstance(message, Reported):
            self.drive.feed(message)
        elif isinstance(message, Carried | Torn):
            self.carried(message)

    def _arrive(self, told: tuple[str, int, Any]) -> None:
        name, link, message = told
        if self._links.get(name) != link:
            return
        if (name, TO) in self._cuts:
            self._held.setdefault((name, TO), []).append(told)
        else:
            if isinstance(message, NodeGone | AskInstances):
                self._fence(name, message.gone if isinstance(message, AskInstances) else (message.worker,))
            self.nodes[name].hear_control(message)

    def _fence(self, name: str, gone: tuple[str, ...]) -> None:
        self.fenced.setdefault(name, set()).update(one for one, node in self.given_up.items() if node in gone)

    def has(self, name: str) -> bool:
        """Is there a link to that node?"""
        return self.is_up and name in self._links

    def is_replaced(self, instance: str) -> bool:
        """It was given up, and no orchestrator has found since that it goes on all the same. While there is none, what
        the last one knew is so still."""
        node = self.given_up.get(instance)
        return node is not None and self.core.books.part(instance, node) is None

    # What is asked for.

    def start(self, number: int, spec: WorkflowSpec) -> None:
        self.ask(StartAsked(str(number), spec, self._engine.now))

    def stop(self, number: int, workflow: str) -> None:
        self.ask(StopAsked(f"-{number}", workflow))

    def ask(self, event: Event) -> None:
        if self.is_up:
            self.drive.feed(event)
        else:
            self._missed.append(event)

    def state(self) -> DomainState:
        """As a program outside is shown it."""
        self._seen.clear()
        for node in self.nodes.values():
            if node.is_up and node.name in self._links:
                self._seen.update((one.id, one.view()) for one in node.core.instances.by_id.values())
        return domain_state(self.core, "simulated", self._views, self._seen, (), self._known)

    def obey(self, intent: Any) -> str:
        """One that came from outside; the answer is its outcome."""
        try:
            request = msgspec.convert({"intents": [intent]}, IntentsRequest)
        except msgspec.ValidationError:
            self.refused += 1
            return "refused"
        (verdict,) = judge(self.state(), request.intents, self.core.fits)
        if verdict.outcome != "do":
            self.refused += verdict.outcome == "refused"
            return verdict.outcome
        self.obeyed += 1
        if isinstance(verdict.intent, Migrate):
            workflow, _, component = verdict.component.partition(".")
            self.drive.feed(MigrateAsked("", workflow, component, (verdict.node,)))
        else:
            node = self.nodes[verdict.node]
            node.is_cordoned = not isinstance(verdict.intent, Uncordon)
            self.drive.feed(NodeSeen(node.view()))
        return verdict.outcome

    def parts(self) -> list[Part]:
        return list(self.core.books.all())

    def unsettled(self) -> str:
        """Of what it keeps."""
        known = {part.key for part in self.parts()}
        litter = [key for key in self.store if key.startswith(STATES) and key not in known]
        return f"{litter[0]} is kept, and belongs to nothing" if litter else ""

    def is_stale(self, _: str, __: str) -> bool:
        return False

    def control(self, _: float) -> "Orchestrator":
        """The one that a fault befalls."""
        return self

    def keeper(self, _: float) -> "Orchestrator":
        """Whose store a fault befalls."""
        return self

    # Restarts.

    def crash(self) -> None:
        """Whoever waits for an answer asks again."""
        self.is_up = False
        for name in self._links:
            self.nodes[name].leave_alone()
        self._links.clear()
        self._held.clear()
        self.drive.stop()

    def restart(self, begun: Callable[[], None] | None = None) -> None:
        """With nothing but what is in the store."""
        self._begin()
        if begun is not None:
            begun()
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
        before = msgspec.json.decode(self.store[NODES][0], type=Before) if NODES in self.store else None
        self.drive.feed(Restored(tuple(records), tuple(states), before))
        for node in self.nodes.values():
            self.join(node)
        missed, self._missed = self._missed, []
        for event in missed:
            self.ask(event)

    # What it wants.

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            self._said += 1
            match command:
                case Put() | Erase():
                    self._disk.send((self.starts, command), self._said)
                case Reply():
                    self._reply(command)
                case Announce():
                    self.announced(command)
                case _:
                    if isinstance(command.message, NodeGone):
                        self._give_up(command.message.worker)
                    self.send(command.peer, command.message)

    def _reply(self, command: Reply) -> None:
        outcome = command.outcome
        if ":" in command.id:
            self.replied(command.id, outcome)
        elif command.id:
            assert not isinstance(outcome, HandedOver), "there is no other domain"
            self._answered(command.id, outcome)

    def send(self, node: str, message: object) -> None:
        link = self._links.get(node)
        if self.is_up and link is not None:
            self._said += 1
            self._to[node].send((node, link, message), self._said)

    def _give_up(self, name: str) -> None:
        node = self.nodes.get(name)
        if node is not None and node.is_up:
            self.given_up.update(dict.fromkeys(node.core.instances.by_id, name))

    def slow_store(self, seconds: float) -> None:
        """Its next write takes so much longer, and those after it wait for it."""
        self._disk.late_next_s += seconds
        self._disk.look()

    def _kept(self, told: tuple[int, Put | Erase]) -> None:
        starts, command = told
        is_heard = self.is_up and starts == self.starts
        if self.is_store_down:
            if is_heard:
                error = StateUnavailable("the store is gone", "")
                self.drive.feed(StoreFailed(command.key, error, isinstance(command, Erase)))
        elif isinstance(command, Erase):
            self.store.pop(command.key, None)
            if is_heard:
                self.drive.feed(Erased(command.key))
        else:
            version = self.store.get(command.key, (b"", 0))[1] + 1
            self.store[command.key] = (command.value, version)
            if is_heard:
                self.drive.feed(Stored(command.key, version))
                if command.key.startswith(STATES):
                    self.kept(command.key)


def _nothing(_: Any, __: Any = None) -> None:
    """Where there is one domain."""
