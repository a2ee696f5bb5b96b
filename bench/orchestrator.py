"""What the orchestrator of a domain has to decide when a node dies."""

import time
from collections import deque
from collections.abc import Iterator

from attacca.kernel.rand import Streams
from attacca.model.events import InstanceUp, StartInstance
from attacca.model.function import PythonDirectory
from attacca.model.messages import Send
from attacca.model.resources import NOTHING, Resources
from attacca.model.sandbox import WorkerView
from attacca.model.workflow import Component, Output, WorkflowSpec
from attacca.policy.placement.random import Random
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import Event, NodeJoined, NodeLeft, Put, StartAsked, Stored
from bench.result import Result, Round

NODES = 50
PARTS = 10  # of a workflow: a chain
FEWER = 10  # times


class Nodes:
    """Nodes that do at once what they are told, and a store that keeps at once. `took_s`: of the core alone."""

    def __init__(self, count: int) -> None:
        self.core = DomainCore(Random(), Streams(1).stream("placement"))
        self.at: dict[str, str] = {}  # by instance that is up: its node
        self.took_s = 0.0
        for number in range(count):
            view = WorkerView(
                name=f"n{number}", capacity=Resources(1 << 30), used=NOTHING, queued=0, running=0, limit=1
            )
            self.tell(NodeJoined(view, f"n{number}:1"))

    def __repr__(self) -> str:
        return f"<Nodes with {len(self.at)} instances, {self.took_s:.3f} s>"

    def tell(self, first: Event) -> None:
        waiting: deque[Event] = deque([first])
        while waiting:
            event = waiting.popleft()
            began = time.thread_time()
            commands = self.core.handle(0.0, event)
            self.took_s += time.thread_time() - began
            for command in commands:
                match command:
                    case Send(peer, StartInstance(id=name)):
                        self.at[name] = peer
                        waiting.append(InstanceUp(peer, name))
                    case Put():
                        waiting.append(Stored(command.key, 1))
                    case _:
                        pass


def _death(instances: int) -> tuple[float, int]:
    """Seconds of one core, and how many moved."""
    nodes = Nodes(NODES)
    names = [f"c{number}" for number in range(PARTS)]
    parts = tuple(
        Component(name=name, artefact=PythonDirectory("code"), outputs={"to": Output(to=(after,))})
        for name, after in zip(names, (*names[1:], names[0]), strict=True)
    )
    for number in range(instances // PARTS):
        nodes.tell(StartAsked(str(number), WorkflowSpec(name=f"w{number}", components=parts), 0.0))
    lost = [name for name, node in nodes.at.items() if node == "n0"]
    before, nodes.took_s = len(nodes.at), 0.0
    nodes.tell(NodeLeft("n0"))
    moved = len(nodes.at) - before
    assert moved == len(lost), f"{moved} of {len(lost)} were started again"
    return nodes.took_s, moved


def node_death(rounds: int, instances: int) -> Iterator[Result]:
    """10,000 instances on 50 nodes, one of which dies: what the orchestrator takes until all are up again."""
    whole, each = [], []
    for _ in range(rounds):
        few_s, few = _death(instances // FEWER)
        took_s, moved = _death(instances)
        whole.append(Round(took_s, 1.0))
        each.append(Round(took_s / moved * 1e6, few_s / few * 1e6))
    yield Result(f"{instances:,} instances on {NODES} nodes, one dies: decisions", "s", "", 1.0, whole)
    yield Result("the same, for each that moves", "us", f"with {instances // FEWER:,} instances", 2.0, each)
