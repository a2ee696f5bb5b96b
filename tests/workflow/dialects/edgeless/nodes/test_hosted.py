"""A node as a worker, over the controls that have it one after the other: what it hosts for one it has for the next."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attacca.errors import StateUnavailable
from attacca.io.store.memory import MemoryStore
from attacca.kernel.clock import ManualClock
from attacca.kernel.rand import Streams
from attacca.model.events import AskInstances, BeginInstance, InstanceDown, Instances, InstanceUp, StartInstance
from attacca.model.function import Revision, Settings, Signature, WasmModule
from attacca.model.machine import Machine
from attacca.model.sandbox import MachineLoad
from attacca.workflow.dialects.edgeless.nodes.announced import Announced
from attacca.workflow.dialects.edgeless.nodes.hosted import Hosted
from attacca.workflow.dialects.edgeless.nodes.shelf import Kept, Shelf, is_whole
from tests.workflow.dialects.edgeless.nodes.test_runtime import CODE, NODE, PID, Node

pytestmark = pytest.mark.long  # messages of another's are made

LOAD = MachineLoad(cpu_share=0, load_1m=0, memory_free_mb=0, disk_free_mb=0, received_mb_s=0, sent_mb_s=0)
HERE = "00000000-0000-0000-0000-000000000007"
ORDER = StartInstance(
    "w.f.2", "w", "f",
    Revision(
        function="w.f", number=1, settings=Settings(name="f"), handler="", signature=Signature.EVENTS,
        artefact=WasmModule("digest"),
    ),
    b"8", is_standby=True,
)  # fmt: skip


class Agent(Node):
    async def close(self) -> None: ...


class Control:
    """One that has the node for a while."""

    def __init__(self, agent: Agent, store: MemoryStore, code: Path) -> None:
        self.agent, self.shelf, self.heard = agent, Shelf(store), list[Any]()
        self._news = asyncio.Event()
        node = Announced(
            id=NODE, nonce=7, agent="127.0.0.1:1", invocation="127.0.0.1:2", patience_s=1.0, load=LOAD,
            machine=Machine(cores=2, processors=1, memory_mb=1024, events=("wasm",)),
        )  # fmt: skip
        self.hosted = Hosted(
            node, HERE, agent, lambda: code, ManualClock(), Streams(1), lambda _, told: self._hear(told),  # type: ignore[arg-type]  # as one
            lambda _: None, self.shelf,
        )  # fmt: skip

    def _hear(self, told: Any) -> None:
        self.heard.append(told)
        self._news.set()

    async def has(self, is_it: Callable[[Any], bool]) -> Any:
        while not any(map(is_it, self.heard)):
            self._news.clear()
            await self._news.wait()
        return next(filter(is_it, self.heard))


def played(tmp_path: Path, story: Callable[[Agent, MemoryStore, Path], Any]) -> None:
    (tmp_path / "digest").mkdir()
    (tmp_path / "digest" / "function.wasm").write_bytes(CODE)
    asyncio.run(story(Agent(), MemoryStore(ManualClock()), tmp_path))


def test_one_that_stands_by_stands_by_for_the_next_control_and_begins_there(tmp_path: Path) -> None:
    async def story(agent: Agent, store: MemoryStore, code: Path) -> None:
        first = Control(agent, store, code)
        await first.hosted.open([])
        first.hosted.receive(ORDER)
        up = await first.has(lambda told: isinstance(told, InstanceUp))
        assert (up.id, up.is_standby) == ("w.f.2", True)
        await first.hosted.end()

        second = Control(agent, store, code)
        hosts = await second.shelf.of(NODE)
        assert hosts == [Kept(NODE, 7, ORDER, {})]
        assert is_whole(hosts, 7), "the node is not told to forget what it has"
        await second.hosted.open(hosts)
        second.hosted.receive(AskInstances())
        told = await second.has(lambda told: isinstance(told, Instances))
        assert [(one.id, one.is_standby, one.is_up) for one in told.instances] == [("w.f.2", True, False)]
        assert agent.asked == [], "the node knows nothing of it yet"

        second.hosted.receive(BeginInstance("w.f.2", None, 0, (), (), 3, ()))
        await second.has(lambda told: isinstance(told, InstanceUp) and not told.is_standby)
        assert [(call, dict(asked.annotations)) for call, asked in agent.asked] == [("function", {"init-payload": "8"})]
        (kept,) = await second.shelf.of(NODE)
        assert (kept.id, kept.start.is_standby, kept.start.payload) == (PID, False, None)
        await second.hosted.end()

    played(tmp_path, story)


class Refusing(MemoryStore):
    async def put_if(self, *_: Any, **__: Any) -> Any:
        raise StateUnavailable("the store is gone", "")


def test_one_that_cannot_be_kept_does_not_stand_by(tmp_path: Path) -> None:
    async def story(agent: Agent, _: MemoryStore, code: Path) -> None:
        control = Control(agent, Refusing(ManualClock()), code)
        await control.hosted.open([])
        control.hosted.receive(ORDER)
        down = await control.has(lambda told: isinstance(told, InstanceDown))
        assert "the store is gone" in down.error.message
        await control.hosted.end()

    played(tmp_path, story)
