"""Gateway, worker and a little control, joined in memory and by bytes: the same stories, whichever it is."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from attacca.gateway.config import GatewayConfig
from attacca.gateway.driver import Gateway
from attacca.io.wire import memory
from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.types import Hello, Limits
from attacca.kernel.clock import SystemClock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.function import Revision, Signature
from attacca.model.invocation import Outcome, Request
from attacca.model.messages import (
    Announced,
    AskCatalogue,
    AskView,
    Catalogue,
    Deployed,
    FromControl,
    FromWorker,
    ToControl,
    ToWorker,
    Viewed,
)
from attacca.worker.config import WorkerConfig
from attacca.worker.core.reports import RunBody, RunFlow, RunHead
from attacca.worker.driver import Worker
from attacca.worker.runtime.scripted import ScriptedMachine, Times
from attacca.worker.runtime.simulated import SimulatedRuntime
from tests.gateway.play import revision
from tests.io.wire.pipe import joined

QUICK = Times(sandbox_ms=0, code_ms=0, imports_ms=0, fork_ms=0, run_ms=0, kill_ms=0)
SLOW = Times(sandbox_ms=0, code_ms=0, imports_ms=0, fork_ms=0, run_ms=3_600_000, kill_ms=0)
PATIENCE_S = 10.0
SMALL = Limits(high_bytes=20_000)
ECHO = revision("echo")
STREAM = revision("stream", signature=Signature.ASGI)


class Waiting:
    """A client, and what it is told."""

    def __init__(self) -> None:
        self.taken: Any = None
        self.told: list[str] = []
        self.size = 0
        self.outcome: Outcome | None = None

    def started(self) -> None:
        self.told.append("started")

    def head(self, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self.told.append(f"head {status}")

    def body(self, data: bytes) -> None:
        self.size += len(data)

    def flow(self, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        self.told.append("paused" if paused else "resumed")

    def ended(self, _: Any, outcome: Outcome) -> None:
        self.outcome = outcome


class Planes:
    """What `attacca up` joins, with simulated sandboxes and a control that only knows its catalogue."""

    def __init__(self, join: str, times: Times) -> None:
        clock, streams = SystemClock(), Streams(1)
        self.generation, self.current = 1, [ECHO, STREAM]
        self.views: list[Viewed] = []
        self._join = join
        self._links: list[memory.MemoryLink | StreamLink] = []
        self.of_gateway: Peers[ToWorker | AskCatalogue] = Peers()
        self.of_control: Peers[FromControl] = Peers()
        self.of_worker: Peers[FromWorker | ToControl] = Peers()
        self.machine = ScriptedMachine(clock, times, on_loop=True)
        self.runtime = SimulatedRuntime(self.machine)
        self.gateway = Gateway(
            GatewayConfig(port=0),
            clock,
            Ids(streams.stream("ids")),
            streams.stream("balancing"),
            self.of_gateway.send,
            to_control=lambda _: self._ask(),
        )
        self.worker = Worker(
            WorkerConfig(memory_mb=1000),
            self.runtime,
            clock,
            streams,
            self.of_worker.send,
            lambda line: self.of_worker.send("control", line),
        )
        gateway, worker = self.gateway, self.worker
        self.of_gateway.bind(self._greet, lambda _: gateway.receive, gateway.lose, gateway.press)
        self.of_worker.bind(worker.join, lambda peer: partial(worker.receive, peer), worker.lose, worker.press)
        self.of_control.bind(self._announce_all, lambda peer: partial(self._hear, peer), lambda _, __: None)

    def join(self) -> None:
        at_gateway, at_control, at_worker = (Hello(name, name) for name in ("gateway", "control", "worker"))
        self._pair(self.of_control, at_control, ToControl, self.of_gateway, at_gateway, Announced)
        self._pair(self.of_control, at_control, ToControl, self.of_worker, at_worker, FromControl)
        self._pair(self.of_gateway, at_gateway, FromWorker, self.of_worker, at_worker, ToWorker)

    def _pair(self, one: Any, one_hello: Hello, one_words: Any, two: Any, two_hello: Hello, two_words: Any) -> None:
        if self._join == "memory":
            link = memory.join(one, one_hello, two, two_hello, SMALL)
            assert link is not None
            self._links.append(link)
        else:
            left = StreamLink(one, one_hello, one_words, SMALL, has_dialed=False)
            right = StreamLink(two, two_hello, two_words, SMALL, has_dialed=True)
            joined(left, right)
            self._links.append(left)

    def cut(self) -> None:
        for link in self._links:
            link.cut()
        self._links.clear()

    def invoke(self, name: str, body: bytes = b"b", *, more: bool = False) -> Waiting:
        client = Waiting()
        error = self.gateway.invoke(name, Request(body=body, more=more), client)
        assert error is None, error
        return client

    async def until(self, is_so: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():  # noqa: ASYNC110 - it is turned by hand
                await asyncio.sleep(0)

    def announce(self, now: Revision) -> None:
        self.generation += 1
        self.current = [one for one in self.current if one.function != now.function] + [now]
        for peer in ("worker", "gateway"):
            self.of_control.send(peer, Deployed(self.generation, now))

    def knows(self, name: str, number: int) -> bool:
        """Does the gateway?"""
        function = self.gateway.find(name)
        return function is not None and function.number == number

    def _ask(self) -> None:
        self.of_gateway.send("control", AskCatalogue(0, 0))

    def _greet(self, peer: str) -> None:
        if peer == "control":
            self._ask()

    def _announce_all(self, peer: str) -> None:
        self.of_control.send(peer, Catalogue(self.generation, tuple(self.current)))

    def _hear(self, peer: str, message: ToControl) -> None:
        if isinstance(message, AskCatalogue):
            self._announce_all(peer)
        elif isinstance(message, Viewed):
            self.views.append(message)


def are_over(*clients: Waiting) -> bool:
    return all(client.outcome is not None for client in clients)


@pytest.fixture(params=["memory", "bytes"])
def play(request: pytest.FixtureRequest) -> Callable[..., None]:
    def run(story: Callable[[Planes], Awaitable[None]], times: Times = QUICK) -> None:
        async def main() -> None:
            planes = Planes(request.param, times)
            await planes.worker.open()
            planes.join()
            await planes.until(lambda: planes.gateway.find("echo") and planes.gateway.refusal("echo") is None)
            await planes.until(lambda: planes.worker.core.catalogue._announced)
            await story(planes)
            await planes.worker.close()
            planes.gateway.close()

        asyncio.run(main())

    return run


def test_invocations_are_answered_each_with_its_own(play: Callable[..., None]) -> None:
    async def story(planes: Planes) -> None:
        clients = [planes.invoke("echo", str(number).encode()) for number in range(50)]
        await planes.until(lambda: all(client.outcome for client in clients))
        assert [getattr(client.outcome, "body", None) for client in clients] == [
            str(number).encode() for number in range(50)
        ]
        assert (planes.gateway.busy(), planes.worker.busy()) == (0, 0)

    play(story)


def test_a_view_comes_when_it_is_asked_for(play: Callable[..., None]) -> None:
    async def story(planes: Planes) -> None:
        client = planes.invoke("echo")
        await planes.until(lambda: client.outcome)
        planes.of_control.send("worker", AskView("v"))
        await planes.until(lambda: planes.views)
        assert planes.views[0].view.functions[0].invocations == 1

    play(story)


@pytest.mark.long
def test_a_new_revision_may_come_at_any_moment(play: Callable[..., None]) -> None:
    async def story(planes: Planes) -> None:
        for number in range(2, 20):
            before = planes.invoke("echo")
            await planes.until(partial(are_over, before))
            planes.announce(revision("echo", number))
            for _ in range(number):  # turns of the loop: one of them sends what its worker knows no more
                await asyncio.sleep(0)
            between = planes.invoke("echo")
            await planes.until(partial(planes.knows, "echo", number))
            after = planes.invoke("echo")
            await planes.until(partial(are_over, between, after))
            assert [getattr(one.outcome, "body", one.outcome) for one in (between, after)] == [b"b", b"b"]

    play(story)


def test_a_link_that_breaks_ends_what_ran_and_comes_back(play: Callable[..., None]) -> None:
    async def story(planes: Planes) -> None:
        client = planes.invoke("echo")
        await planes.until(lambda: client.taken.start is not None)
        planes.cut()
        await planes.until(lambda: client.outcome)
        assert getattr(client.outcome, "code", "") == "sandbox_lost"
        await planes.until(lambda: planes.worker.busy() == 0)
        planes.announce(revision("new"))  # nobody hears of it
        planes.join()
        await planes.until(lambda: planes.gateway.find("new") and planes.gateway.refusal("new") is None)
        again = planes.invoke("new")
        await planes.until(lambda: again.taken.start is not None)

    play(story, SLOW)


def test_a_worker_that_does_not_read_makes_senders_wait(play: Callable[..., None]) -> None:
    async def story(planes: Planes) -> None:
        client = planes.invoke("stream", more=True)
        await planes.until(lambda: "started" in client.told)
        deaf = planes.of_worker._links["gateway"]
        deaf.pause()
        while "paused" not in client.told:
            planes.gateway.body(client.taken, bytes(5000), last=False)
            await asyncio.sleep(0)
        deaf.resume()
        await planes.until(lambda: "resumed" in client.told)
        planes.gateway.body(client.taken, b"", last=True)
        await planes.until(lambda: client.outcome)

    play(story)


def test_a_gateway_that_does_not_read_makes_sandboxes_wait(play: Callable[..., None]) -> None:
    async def story(planes: Planes) -> None:
        client = planes.invoke("stream")
        await planes.until(lambda: client.taken.start is not None)
        sink, sandbox, name = planes.runtime.report, client.taken.sandbox, client.taken.key
        sink(RunHead(sandbox, name, 200, ()))
        deaf = planes.of_gateway._links["worker"]
        deaf.pause()
        sent = 0
        while not planes.machine.paused.get(name):
            sink(RunBody(sandbox, name, bytes(5000)))
            sent += 5000
            await asyncio.sleep(0)
        deaf.resume()
        await planes.until(lambda: planes.machine.paused[name] is False)
        await planes.until(lambda: client.size == sent)
        sink(RunFlow(sandbox, name, paused=True))
        await planes.until(lambda: "paused" in client.told)

    play(story, SLOW)
