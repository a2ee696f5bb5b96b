"""The laws of a domain of workflows, on many seeds."""

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import pytest

from attacca.kernel.rand import Streams
from attacca.model.events import InstanceUp, StartInstance
from attacca.model.messages import Send
from attacca.model.resources import Resources
from attacca.model.sandbox import WorkerView
from attacca.model.workflow import WorkflowSpec
from attacca.policy.placement.random import Random
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import Event, NodeJoined, NodeLeft, Put, StartAsked, Stored
from tests.workflow.core.stage import function
from tests.workflow.core.test_laws import LAWS
from tests.workflow.core.test_most import MOST

SEEDS = 60


@pytest.mark.parametrize("law", LAWS + MOST)
def test_a_domain_keeps_its_laws(law: Callable[[int], None]) -> None:
    for seed in range(1000, 1000 + SEEDS):
        law(seed)


def test_the_death_of_a_node_costs_what_moved_and_no_more() -> None:
    few, many = scaled(workflows=100, nodes=10), scaled(workflows=1000, nodes=50)
    print(f"{many.instances} instances on 50 nodes, one dies: {many.moved} moved in {many.took_s * 1e3:.0f} ms")
    assert many.moved > 100
    assert many.commands <= 4 * many.moved + 50
    assert few.commands <= 4 * few.moved + 50


class Scaled(NamedTuple):
    instances: int
    moved: int
    commands: int
    took_s: float


def scaled(workflows: int, nodes: int) -> Scaled:
    """Chains of ten; one of the nodes dies, and all that it had begins elsewhere."""
    core = DomainCore(Random(), Streams(1).stream("placement"))
    for number in range(nodes):
        view = WorkerView(
            name=f"n{number:02}", capacity=Resources(1_000_000), used=Resources(0), queued=0, running=0, limit=1
        )
        settled(core, NodeJoined(view))
    chain = [function(f"f{number}", to=f"f{number + 1}") for number in range(9)] + [function("f9")]
    for number in range(workflows):
        settled(core, StartAsked(str(number), WorkflowSpec(name=f"w{number}", components=tuple(chain)), 0.0))
    instances, moved = len(core.books.parts), len(core.nodes.by_name["n07"].ours)
    began = time.process_time()
    commands = settled(core, NodeLeft("n07"))
    took_s = time.process_time() - began
    assert len(core.books.parts) == instances
    return Scaled(instances, moved, commands, took_s)


def settled(core: DomainCore, event: Event) -> int:
    """How many commands came of it, where all that is started is up at once."""
    events, count = deque([event]), 0
    while events:
        for command in core.handle(0.0, events.popleft()):
            count += 1
            if isinstance(command, Put):
                events.append(Stored(command.key, 1))
            elif isinstance(command, Send) and isinstance(command.message, StartInstance):
                events.append(InstanceUp(command.peer, command.message.id))
    return count
