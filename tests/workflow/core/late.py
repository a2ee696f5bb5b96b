"""A domain whose messages take their time: each link keeps its order, and control may be gone. And what befalls it."""

import itertools
from collections import Counter
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from random import Random as Drawn
from typing import Any

import msgspec

from attacca.kernel.rand import Streams
from attacca.model.events import BetweenInstances, Introduced, place
from attacca.model.messages import Send
from attacca.model.workflow import Output, Requirements
from attacca.policy.placement.random import Random
from attacca.worker.core.events import NeighbourJoined, NeighbourSaid, Received, Tick
from attacca.worker.core.mailboxes import Stage as Life
from attacca.worker.core.reports import EventSent
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import (
    Announce,
    Before,
    Erase,
    Erased,
    NodeLeft,
    Put,
    Record,
    Reply,
    Restored,
    StateRecord,
    Stored,
)
from attacca.workflow.core.events import Event as DomainEvent
from attacca.workflow.core.events import Tick as DomainTick
from attacca.workflow.core.graph import Stage as Phase
from attacca.workflow.core.keeping import NODES, WORKFLOWS
from tests.workflow.core.stage import Node, Stage, function, sends

ACTIVE = (Life.BEGINNING, Life.UP, Life.STOPPING)
CONTROL = "control"
SLOWEST_S = 0.004  # a message


class LateStage(Stage):
    def __init__(self, chance: Drawn, nodes: int) -> None:
        self._chance = chance
        self._heap: list[tuple[float, int, str, str, Callable[[], None]]] = []
        self._count = itertools.count()
        self._last: dict[tuple[str, str], float] = {}  # when what was said last on a link comes
        self.term = 0
        super().__init__(passes, nodes)

    # Links.

    def _later(self, sender: str, receiver: str, do: Callable[[], None]) -> None:
        now = self.clock.now()
        at = max(now + self._chance.random() * SLOWEST_S, self._last.get((sender, receiver), 0.0))
        self._last[sender, receiver] = at
        heappush(self._heap, (at, next(self._count), sender, receiver, do))

    def cut(self, name: str) -> None:
        """What is on its way from it, and to it, is lost."""
        self._heap = [one for one in self._heap if name not in one[2:4]]
        heapify(self._heap)

    def hear(self, message: Any) -> None:
        self._later(message.worker, CONTROL, lambda: self.tell(message))

    def pass_on(self, node: Node, other: str, message: BetweenInstances) -> None:
        def come() -> None:
            there = self.nodes.get(other)
            if there is not None:
                there.feed(NeighbourSaid(node.name, node.instance, message))

        self._later(node.name, other, come)

    def join(self, node: Node, other: str) -> None:
        self.pass_on(node, other, Introduced(f"{node.name}:1"))
        self._later(other, node.name, lambda: node.feed(NeighbourJoined(other)))

    def tell(self, event: DomainEvent) -> None:
        for command in self.core.handle(self.clock.now(), event):
            match command:
                case Send():
                    self._order(command.peer, command.message)
                case Put():
                    self._later(CONTROL, CONTROL, lambda put=command: self._store(put))  # type: ignore[misc]
                case Erase():
                    self.store.pop(command.key, None)
                    self.tell(Erased(command.key))
                case Announce():
                    self.announced.append(command)
                case Reply():
                    self.replies[command.id] = command.outcome

    def _order(self, peer: str, message: Any) -> None:
        def come() -> None:
            there = self.nodes.get(peer)
            if there is not None:
                there.feed(Received(CONTROL, message))

        self._later(CONTROL, peer, come)

    def _store(self, put: Put) -> None:
        if put.key == NODES:
            self.before = msgspec.json.decode(put.value, type=Before)
            self.tell(Stored(put.key, 1))
            return
        version = self.store.get(put.key, (b"", 0))[1] + 1
        self.store[put.key] = (put.value, version)
        self.tell(Stored(put.key, version))

    # What befalls it.

    def die(self, name: str) -> None:
        self.kill(name)
        self.cut(name)
        self._later(CONTROL, CONTROL, lambda: self.tell(NodeLeft(name)))

    def restart(self) -> None:
        """Control, with what lies in the store."""
        self.cut(CONTROL)
        self.term += 1
        self.core = DomainCore(Random(), Streams(10 + self.term).stream("placement"))
        entries = list(self.store.items())
        records = [
            (msgspec.json.decode(value, type=Record), version)
            for key, (value, version) in entries
            if key.startswith(WORKFLOWS)
        ]
        states = [
            (msgspec.json.decode(value, type=StateRecord), version)
            for key, (value, version) in entries
            if not key.startswith(WORKFLOWS)
        ]
        self.tell(Restored(tuple(records), tuple(states), self.before))
        for node in self.nodes.values():
            self._later(node.name, CONTROL, lambda node=node: self.joined(node))  # type: ignore[misc]

    def play(self, seconds: float) -> None:
        until = self.clock.now() + seconds
        while True:
            nodes = list(self.nodes.values())
            dues = [due for node in nodes if (due := node.machine.next_at()) is not None]
            dues += [self._heap[0][0]] if self._heap else []
            dues += [self.core.alarm.at, *(node.core.alarm.at for node in nodes)]
            at = max(min(dues, default=inf), self.clock.now())
            if at > until:
                break
            self.clock.time = at
            while self._heap and self._heap[0][0] <= at:
                heappop(self._heap)[4]()
            for node in nodes:
                while node.is_alive and node.machine.advance():
                    pass
                if node.core.alarm.at <= at:
                    node.feed(Tick())
            if self.core.alarm.at <= at:
                self.tell(DomainTick())
            self.check()
        self.clock.time = until

    def check(self) -> None:
        """There is no more than one of each that handles events."""
        active = Counter(
            place(name)
            for node in self.nodes.values()
            for name, one in node.core.instances.by_id.items()
            if one.stage in ACTIVE
        )
        assert not active or max(active.values()) == 1, active


def passes(node: Node, instance: str, kind: str, data: bytes) -> bytes | None:
    """`b` sends on what it gets."""
    if kind == "cast" and ".b." in instance:
        node.feed(EventSent(instance, "on", False, data))  # noqa: FBT003
    return None


class Story:
    """`a`, which stays, sends numbers to `b`, which sends them on to `c`, while this and that befalls the two."""

    def __init__(
        self,
        seed: int,
        befalls: tuple[str, ...],
        *,
        standby: bool = False,
        most: int = 0,
        made: type[LateStage] = LateStage,
    ) -> None:
        """`most`: of `b` there are two, and never more."""
        self.chance = chance = Drawn(seed)
        self.stage = made(chance, nodes=4)
        self.befalls = befalls
        passing = msgspec.structs.replace(function("b"), outputs={"on": Output(to=("c",))})
        if standby:
            passing = msgspec.structs.replace(passing, replicas=2, standby="hot")
        if most:
            requires = Requirements(max_instances=most)
            passing = msgspec.structs.replace(passing, replicas=2, requires=requires)
        self.workflow = self.stage.start(function("a", on="n1", to="b"), passing, function("c"))
        self.sent = self.crashes = 0

    def __repr__(self) -> str:
        return f"<Story {self.sent} sent, {self.crashes} crashes>"

    def go(self, steps: int) -> None:
        for _ in range(steps):
            self.step(self.chance.choice(("send", "send", "send", *self.befalls)))
            self.stage.play(self.chance.choice((0.0, 0.0005, 0.002, 0.01, 0.3)))
        self.stage.play(90.0)
        parts = self.stage.core.workflows[self.workflow].parts
        assert {part.stage for part in parts.values()} == {Phase.UP}
        lanes = {
            node.name: one.lanes for node in self.stage.nodes.values() for one in node.core.instances.by_id.values()
        }
        assert not any(lanes.values()), "patching converges, and nothing is held for ever"
        kept = [name for node in self.stage.nodes.values() for name in node.core.instances.wills.kept]
        assert not kept, "what those left that are gone has come to whoever follows"

    def step(self, what: str) -> None:
        stage, chance = self.stage, self.chance
        workflow = stage.core.workflows[self.workflow]
        part = workflow.parts[chance.choice("bc")]
        if what == "send":
            for _ in range(chance.randrange(1, 6)):
                sends(stage.nodes["n1"], self.sender, "to", b"%d" % self.sent)
                self.sent += 1
        elif what == "move":
            stage.migrate(self.workflow, part.spec.name, chance.choice(list(stage.nodes)))
        elif what == "restart":
            stage.restart()
        elif what == "crash" and part.stage is Phase.UP and part.worker in stage.nodes:
            node = stage.nodes[part.worker]
            if node.core.pool.sandboxes.get(part.instance):
                node.machine.crash(part.instance)
                self.crashes += 1
        elif what == "die" and len(stage.nodes) > 2:
            stage.die(chance.choice([name for name in stage.nodes if name != "n1"]))
        elif what == "join" and len(stage.nodes) < 4:
            stage.node(f"n{len(stage.all_nodes) + 1}")

    @property
    def sender(self) -> str:
        return next(name for name in self.stage.nodes["n1"].core.instances.by_id if ".a." in name)

    def handled(self, component: str) -> dict[int, list[int]]:
        """By the number of the instance, in their order."""
        by: dict[int, list[int]] = {}
        for node in self.stage.all_nodes:
            for name, kind, data in node.handled:
                if kind == "cast" and f".{component}." in name:
                    by.setdefault(int(name.rpartition(".")[2]), []).append(int(data))
        return dict(sorted(by.items()))
