"""Links between nodes: each way takes its time; what is under way when a link breaks is lost, and is said again."""

from collections.abc import Callable, Mapping
from functools import partial

from attacca.load.workload.scenario import Scenario
from attacca.model.events import BetweenInstances, Event, Introduced, Passed
from attacca.sim.engine import Engine
from attacca.sim.platform.network import Channel
from attacca.sim.workflows.node import SimulatedNode

Said = tuple[int, bytes, BetweenInstances]  # of which link, by which process


class Roads:
    def __init__(self, scenario: Scenario, engine: Engine, nodes: Mapping[str, SimulatedNode]) -> None:
        self._scenario, self._engine, self._nodes = scenario, engine, nodes
        self._ways: dict[tuple[str, str], Channel] = {}
        self._wanted: dict[tuple[str, str], None] = {}  # who has dialed whom
        self._links: dict[tuple[str, str], int] = {}  # those that are there: which one of that pair it is
        self._cut: dict[str, int] = {}  # nodes that reach no other: how often that was done to them
        self._count = 0
        self.fenced: Mapping[str, set[str]] = {}  # by node: instances that it knows to have been given up
        self.is_replaced: Callable[[str], bool] = lambda _: False
        self.intruders = 0  # events of such that were taken all the same

    def __repr__(self) -> str:
        return f"<Roads {len(self._links)} links of {len(self._wanted)}, {self.lost} messages lost>"

    @property
    def lost(self) -> int:
        return sum(way.lost for way in self._ways.values())

    def dial(self, node: SimulatedNode, other: str) -> None:
        self._wanted[node.name, other] = None
        self._join(node.name, other)

    def send(self, node: SimulatedNode, other: str, message: BetweenInstances) -> None:
        link = self._links.get(_pair(node.name, other))
        if link is not None:
            self._count += 1
            self._way(node.name, other).send((link, node.instance, message), self._count)

    def broken(self, node: SimulatedNode) -> None:
        """It is gone, with all of its links."""
        for pair in [pair for pair in self._links if node.name in pair]:
            del self._links[pair]
        for dialed in [dialed for dialed in self._wanted if dialed[0] == node.name]:
            del self._wanted[dialed]

    def back(self, node: SimulatedNode) -> None:
        """It can be reached again: who wants it dials it."""
        for one, other in list(self._wanted):
            if node.name in (one, other):
                self._join(one, other)

    def cut(self, node: SimulatedNode) -> None:
        self._cut[node.name] = self._cut.get(node.name, 0) + 1
        for pair in [pair for pair in self._links if node.name in pair]:
            del self._links[pair]

    def mend(self, node: SimulatedNode) -> None:
        self._cut[node.name] -= 1
        if not self._cut[node.name]:
            del self._cut[node.name]
            self.back(node)

    def _join(self, one: str, other: str) -> None:
        nodes, pair = self._nodes, _pair(one, other)
        is_there = one in nodes and other in nodes and nodes[one].is_up and nodes[other].is_up
        if not is_there or one in self._cut or other in self._cut or pair in self._links:
            return
        self._count += 1
        self._links[pair] = self._count
        self.send(nodes[one], other, Introduced(f"{one}:1"))
        for here, there in ((one, other), (other, one)):
            nodes[here].joined(there)

    def _way(self, one: str, other: str) -> Channel:
        way = self._ways.get((one, other))
        if way is None:
            scenario = self._scenario
            deliver = partial(self._arrive, one, other)
            way = self._ways[one, other] = Channel(
                self._engine, scenario.hardware, scenario.seed, f"node/{one}/{other}", deliver
            )
        return way

    def _arrive(self, one: str, other: str, said: Said) -> None:
        link, instance, message = said
        if self._links.get(_pair(one, other)) != link:
            return
        node, fenced = self._nodes[other], self.fenced.get(other)
        if not fenced or not isinstance(message, Passed) or not isinstance(message.message, Event):
            node.hear_node(one, instance, message)
            return
        event = message.message
        before = node.has_taken(event.target)
        node.hear_node(one, instance, message)
        sender = event.source.partition("@")[0]
        self.intruders += sender in fenced and self.is_replaced(sender) and node.has_taken(event.target) > before


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)
