import asyncio
from pathlib import Path

import pytest

from attacca.control.driver import Control
from attacca.errors import BadConfig, NotLeading
from attacca.io.store.memory import MemoryStore
from attacca.kernel.access import Door
from attacca.kernel.clock import ManualClock
from attacca.kernel.rand import Streams
from attacca.model.machine import Machine
from attacca.model.sandbox import MachineLoad
from attacca.policy.placement.random import Random
from attacca.worker.far import Far
from attacca.workflow.dialects.edgeless.listening import Listening
from attacca.workflow.dialects.edgeless.nodes.agent import Agent
from attacca.workflow.dialects.edgeless.nodes.announced import Announced
from attacca.workflow.dialects.edgeless.nodes.bridge import Bridge
from attacca.workflow.dialects.edgeless.nodes.hosted import Hosted, Near
from attacca.workflow.dialects.edgeless.nodes.server import NodeServer
from attacca.workflow.dialects.edgeless.nodes.shelf import Shelf
from attacca.workflow.driver import Workflows
from tests.workflow.test_repr import cordon


def nobody() -> Control:
    raise NotLeading("another does")


def test_what_changes_says_its_state() -> None:
    assert repr(Near(Far("w", lambda *_: None, lambda _: None, lambda _: None))) == "<Near <Far <Ways to 0, from 0>>>"
    server = NodeServer(nobody, "http://127.0.0.1:0", ManualClock())
    assert repr(server) == "<NodeServer <Listening at port 0: 0 answered, 0 refused>>"
    assert repr(Listening(nobody, Door(0, is_loopback=True), "x")) == "<Listening at port 0: 0 answered, 0 refused>"
    clock = ManualClock()
    workflows = Workflows(
        MemoryStore(clock),
        clock,
        Streams(1).stream("x"),
        Random(),
        lambda _, __: None,
        lambda _: None,
        "home",
        cordon,
        3.0,
    )
    store = MemoryStore(clock)
    bridge = Bridge(workflows, clock, Streams(1), Path, lambda _: None, server.open, server.close, store)
    assert repr(Shelf(store)) == f"<Shelf in {store!r}>"
    assert repr(bridge) == "<Bridge to 0 of <Register of 0 nodes>>"


def test_what_speaks_to_a_node_says_where() -> None:
    load = MachineLoad(cpu_share=0, load_1m=0, memory_free_mb=0, disk_free_mb=0, received_mb_s=0, sent_mb_s=0)
    node = Announced(
        id="n", nonce=1, agent="127.0.0.1:1", invocation="127.0.0.1:2", patience_s=1.0, machine=Machine(), load=load
    )

    async def made() -> None:
        agent = Agent(node.agent, node.invocation)
        assert repr(agent) == "<Agent at 127.0.0.1:1>"
        shelf = Shelf(MemoryStore(ManualClock()))
        hosted = Hosted(node, "h", agent, Path, ManualClock(), Streams(1), lambda _, __: None, lambda _: None, shelf)
        assert repr(hosted) == (
            "<Hosted edgeless:n: <NodeRuntime of n: 0 instances, <Addresses 0 outputs, 0 sources>>>"
        )
        await agent.close()

    asyncio.run(made())


def test_nodes_are_heard_on_loopback_only() -> None:
    for url in ("http://0.0.0.0:7004", "http://example.org:7004", "http://10.1.2.3:7004"):
        with pytest.raises(BadConfig):
            NodeServer(nobody, url, ManualClock())
