"""A node of EDGELESS as a worker's runtime: what is a sandbox to others is an instance there.

    make_sandbox ──▶ its code, read ──▶ INIT ──▶ Start, Patch ──▶ its events ──▶ Handle ──▶ its replies
                                                                     and what it sends ──▶ the worker

Each of its outputs leads to us, under an id that only it knows, so that where it leads on is decided here, as for all
others: it is patched once, and those it sends to may move.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ClassVar, Protocol

from attacca.errors import AttaccaError, BadFunction, Internal, StartFailed, TimedOut, Unreachable
from attacca.kernel.clock import Clock
from attacca.model.events import Delivery, EventKind
from attacca.model.function import MODULE, ResourceClass, Revision, WasmModule
from attacca.model.invocation import Failed, Invocation, Making, Ok, Outcome
from attacca.worker.core.events import Deliver, Respond, ToSandbox
from attacca.worker.core.reports import (
    EventAsked,
    EventSent,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
    Sink,
    TemplateFailed,
)
from attacca.workflow.dialects.edgeless.nodes import speech
from attacca.workflow.dialects.edgeless.nodes.addresses import Addresses, Outlet
from attacca.workflow.dialects.edgeless.nodes.speech import Ends, Kind, Said

LOG = logging.getLogger("attacca.edgeless")
AGAIN_S = 0.25  # until an event is tried again that the node could not be given
STOP_S = 2.0
EXPECTED_MOST = 10_000


class Asking(Protocol):
    """As `agent.Agent`."""

    async def start_function(self, request: Any) -> str: ...
    async def start_resource(self, request: Any) -> str: ...
    async def patch(self, request: Any, *, is_resource: bool) -> None: ...
    async def stop(self, whom: Any, *, is_resource: bool) -> None: ...
    async def handle(self, event: Any) -> None: ...


class Remembering(Protocol):
    """Who remembers what the node hosts; see `shelf`. `outlets`: by output, the id that the node is told. Each raises
    an AttaccaError where that cannot be kept."""

    async def made(self, sandbox: str) -> None: ...
    async def begins(self, sandbox: str, outlets: dict[str, str]) -> None: ...
    async def begun(self, sandbox: str, outlets: dict[str, str], id_: str) -> None: ...
    async def ended(self, sandbox: str) -> None: ...


class Guest:
    """One instance there."""

    def __init__(self, sandbox: str, revision: Revision) -> None:
        self.sandbox, self.revision = sandbox, revision
        self.code = b""
        self.id = ""  # that the node has given it
        self.is_asked = False  # the node is to start it, and has not answered yet
        self.workflow = ""
        self.outputs: tuple[str, ...] = ()
        self.patched: tuple[str, ...] | None = None
        self.calls: dict[int, tuple[str, asyncio.Future[tuple[Kind, bytes]]]] = {}  # ours, with who calls, by stream
        self.asked: dict[int, tuple[str, int]] = {}  # its own: whom it called, and its stream
        self.count = 0
        self.tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Guest {self.sandbox}: {len(self.calls)} calls to it, {len(self.asked)} of its own>"

    @property
    def is_resource(self) -> bool:
        return isinstance(self.revision.artefact, ResourceClass)


class NodeRuntime:
    """Implements `worker.runtime.types.Runtime`, for event functions and resources. `node` is its id, `here` ours;
    `code` is where modules are."""

    has_events: ClassVar[bool] = True

    def __init__(
        self,
        node: str,
        here: str,
        agent: Asking,
        addresses: Addresses,
        code: Callable[[], Path],
        clock: Clock,
        memory: Remembering,
    ) -> None:
        self._node, self._here, self._agent, self._addresses = node, here, agent, addresses
        self._code, self._clock, self._memory = code, clock, memory
        self._adopted: dict[str, str] = {}  # by sandbox: the id of an instance that is there already
        self._guests: dict[str, Guest] = {}
        self._expected: dict[str, tuple[str, tuple[str, ...]]] = {}  # by sandbox: its workflow, and its outputs
        self._by_id: dict[str, Guest] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._streams = speech.STREAMS_FROM
        self._sink: Sink

    def __repr__(self) -> str:
        return f"<NodeRuntime of {self._node}: {len(self._guests)} instances, {self._addresses!r}>"

    @property
    def instances(self) -> dict[str, str]:
        """By their ids there."""
        return {id_: guest.sandbox for id_, guest in self._by_id.items()}

    async def open(self, sink: Sink) -> None:
        self._loop, self._sink = asyncio.get_running_loop(), sink

    async def close(self) -> None:
        """Nobody is told: the node is gone, or is told to forget all."""
        tasks = [task for guest in self._guests.values() for task in guest.tasks]
        for task in (*tasks, *self._stopping):
            task.cancel()
        await asyncio.gather(*tasks, *self._stopping, return_exceptions=True)
        self._guests.clear()
        self._by_id.clear()

    # The worker's orders.

    def expect(self, sandbox: str, workflow: str, outputs: tuple[str, ...]) -> None:
        """What is known of an instance before it is made."""
        self._expected[sandbox] = (workflow, outputs)
        if len(self._expected) > EXPECTED_MOST:
            del self._expected[next(iter(self._expected))]

    def adopt(self, sandbox: str, id_: str, outlets: dict[str, str]) -> None:
        """The node has it, from who was here before: it is not started again when it is made."""
        self._adopted[sandbox] = id_
        self._addresses.know(sandbox, outlets)

    def patch(self, sandbox: str, outputs: tuple[str, ...]) -> None:
        """Which it has; where they lead does not matter."""
        guest = self._guests.get(sandbox)
        if guest is not None and outputs != guest.outputs:
            guest.outputs = outputs
            if guest.patched is not None:
                self._do(guest, self._patched_again(guest))

    async def _patched_again(self, guest: Guest) -> None:
        try:
            await self._patch(guest)
        except AttaccaError as error:
            LOG.warning("%s does not know of all its outputs: %s", guest.sandbox, error.message)

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        guest = self._guests[sandbox] = Guest(sandbox, revision)
        guest.workflow, guest.outputs = self._expected.pop(sandbox, ("", ()))
        guest.id = self._adopted.pop(sandbox, "")
        self._do(guest, self._make(guest))

    async def _make(self, guest: Guest) -> None:
        began, artefact = self._clock.now(), guest.revision.artefact
        error: AttaccaError | None = None
        if isinstance(artefact, WasmModule) and not guest.id:
            try:
                guest.code = await asyncio.to_thread(_read, self._code() / artefact.digest)
            except (OSError, ValueError) as why:
                error = StartFailed(f"its code cannot be read: {why}", "deploy it again")
        elif not isinstance(artefact, WasmModule | ResourceClass):
            error = BadFunction(f"a node of EDGELESS does not run {artefact.what}", "say another node")
        error = error or await self._unkept(guest)
        if error is not None:
            del self._guests[guest.sandbox]
            self._sink(SandboxFailed(guest.sandbox, error.code, error.message))
        else:
            self._sink(SandboxReady(guest.sandbox, Making(code=(self._clock.now() - began) * 1e3)))

    async def _unkept(self, guest: Guest) -> AttaccaError | None:
        """Why it cannot be remembered."""
        try:
            await self._memory.made(guest.sandbox)
        except AttaccaError as error:
            return error
        return None

    def kill(self, sandbox: str) -> None:
        guest = self._guests.pop(sandbox, None)
        if guest is None:
            return
        self._by_id.pop(guest.id, None)
        self._addresses.forget(sandbox)
        for task in guest.tasks:
            task.cancel()
        stopping = self._loop.create_task(self._end(guest))
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopping.discard)

    async def _end(self, guest: Guest) -> None:
        await asyncio.gather(*guest.tasks, return_exceptions=True)
        if guest.id:
            try:
                async with asyncio.timeout(STOP_S):
                    await self._stop(guest)
            except (AttaccaError, TimeoutError) as error:
                LOG.warning("%s may run on, on node %s: %s", guest.sandbox, self._node, error)
        if not guest.is_asked:  # else nobody knows whether the node has it
            await self._forget(guest)
        self._sink(SandboxGone(guest.sandbox, "sandbox_lost", "it was stopped"))

    async def _forget(self, guest: Guest) -> None:
        try:
            await self._memory.ended(guest.sandbox)
        except AttaccaError as error:
            LOG.warning("that %s has ended is not kept: %s", guest.sandbox, error.message)

    async def _stop(self, guest: Guest) -> None:
        whom, guest.id = speech.whom(self._node, guest.id), ""
        await self._agent.stop(whom, is_resource=guest.is_resource)

    def tell(self, sandbox: str, word: ToSandbox) -> None:
        guest = self._guests.get(sandbox)
        if guest is None:
            return
        if isinstance(word, Deliver):
            self._do(guest, self._delivered(guest, word.delivery))
        elif isinstance(word, Respond) and word.asked in guest.asked:
            whom, stream = guest.asked.pop(word.asked)
            self._do(guest, self._respond(guest, whom, stream, word))

    def _do(self, guest: Guest, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        guest.tasks.add(task)
        task.add_done_callback(guest.tasks.discard)

    async def _delivered(self, guest: Guest, delivery: Delivery) -> None:
        began, outcome = self._clock.now(), await self._outcome(guest, delivery)
        if self._guests.get(guest.sandbox) is guest:
            self._sink(RunEnded(guest.sandbox, delivery.id, outcome, (self._clock.now() - began) * 1e3))

    async def _outcome(self, guest: Guest, delivery: Delivery) -> Outcome:
        error: AttaccaError
        try:
            match delivery.kind:
                case EventKind.INIT:
                    await self._begin(guest, delivery)
                case EventKind.CAST:
                    await self._pass(guest, delivery, Kind.CAST, 0)
                case EventKind.CALL:
                    return await self._call(guest, delivery)
                case EventKind.STOP:
                    await self._stop(guest)
            return Ok(status=204)
        except AttaccaError as refused:
            error = refused
        except Exception as bug:
            LOG.exception("an event for %s failed", guest.sandbox)
            error = Internal(f"{type(bug).__name__}: {bug}", "this is a bug; the log of control has more")
        return Failed(error.code, error.message, error.hint)

    async def _begin(self, guest: Guest, delivery: Delivery) -> None:
        if guest.id:  # it was there before we were
            guest.patched, self._by_id[guest.id] = guest.outputs, guest
        else:
            outlets = {name: self._addresses.of_output(guest.sandbox, name) for name in guest.outputs}
            await self._memory.begins(guest.sandbox, outlets)
            guest.is_asked = True
            try:
                guest.id = await self._start(guest, delivery)
            except Unreachable:
                raise
            except AttaccaError:
                guest.is_asked = False
                raise
            guest.is_asked, self._by_id[guest.id] = False, guest
            await self._patch(guest)
            await self._memory.begun(guest.sandbox, outlets, guest.id)

    async def _start(self, guest: Guest, delivery: Delivery) -> str:
        artefact = guest.revision.artefact
        if isinstance(artefact, ResourceClass):
            return await self._agent.start_resource(speech.resource(guest.workflow, artefact))
        payload = None if delivery.data is None else speech.text(delivery.data)
        asked = speech.function(guest.sandbox, guest.workflow, guest.revision, guest.code, payload)
        guest.code = b""
        return await self._agent.start_function(asked)

    async def _patch(self, guest: Guest) -> None:
        guest.patched = outputs = guest.outputs
        if outputs:
            led = {name: self._addresses.of_output(guest.sandbox, name) for name in outputs}
            request = speech.patch(guest.id, self._here, led)
            await self._agent.patch(request, is_resource=guest.is_resource)

    async def _pass(self, guest: Guest, delivery: Delivery, kind: Kind, stream: int) -> str:
        """The answer is by which id it knows who has sent it. A node that is away may be gone: whoever finds that out
        has the event sent where its next instance is."""
        source = self._addresses.of_source(delivery.source)
        ends = Ends(self._here, source, self._node, guest.id)
        event = speech.event(ends, kind, delivery.data or b"", stream, self._clock.wall())
        while True:
            try:
                await self._agent.handle(event)
            except Unreachable:
                await asyncio.sleep(AGAIN_S)
            else:
                return source

    async def _call(self, guest: Guest, delivery: Delivery) -> Outcome:
        self._streams += 1
        stream, seconds = self._streams, guest.revision.settings.timeout_s
        reply: asyncio.Future[tuple[Kind, bytes]] = self._loop.create_future()
        guest.calls[stream] = (self._addresses.of_source(delivery.source), reply)
        try:
            async with asyncio.timeout(seconds):
                await self._pass(guest, delivery, Kind.CALL, stream)
                kind, data = await reply
        except TimeoutError:
            raise TimedOut(f"it did not reply within {seconds:g} s", "it may have ended: see its node's log") from None
        finally:
            del guest.calls[stream]
        if kind is Kind.ERROR:
            return Failed("function_error", data.decode() or "it replied with an error")
        return Ok(data, status=200 if kind is Kind.REPLY else 204)

    async def _respond(self, guest: Guest, whom: str, stream: int, word: Respond) -> None:
        kind = speech.REPLIES[word.kind]
        ends = Ends(self._here, whom, self._node, guest.id)
        try:
            event = speech.event(ends, kind, word.data, stream, self._clock.wall())
        except AttaccaError as error:
            LOG.warning("a reply to %s is an error: %s", guest.sandbox, error.message)
            event = speech.event(ends, Kind.ERROR, b"", stream, self._clock.wall())
        try:
            await self._agent.handle(event)
        except AttaccaError as error:
            LOG.warning("a reply to %s is lost: %s", guest.sandbox, error.message)

    # What its instances say.

    def hear(self, said: Said) -> None:
        """What is for nobody any more is dropped, as a node does it."""
        guest = self._by_id.get(said.instance)
        if guest is None:
            return
        if said.kind not in (Kind.CALL, Kind.CAST):
            whom, reply = guest.calls.get(said.stream, ("", None))
            if reply is not None and whom == said.to and not reply.done():
                reply.set_result((said.kind, said.data))
            return
        to = self._addresses.find(said.to)
        if to is None or (isinstance(to, Outlet) and to.sandbox != guest.sandbox):
            return
        target, is_instance = (to.output, False) if isinstance(to, Outlet) else (to, True)
        if said.kind is Kind.CAST:
            self._sink(EventSent(guest.sandbox, target, is_instance, said.data))
            return
        guest.count += 1
        guest.asked[guest.count] = (said.to, said.stream)
        self._sink(EventAsked(guest.sandbox, guest.count, target, is_instance, said.data))

    # What is no business of an event function's.

    def make_template(self, template: str, revision: Revision) -> None:
        why = "a node of EDGELESS has no templates"
        self._loop.call_soon(self._sink, TemplateFailed(template, "start_failed", why))

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        why = Failed("runtime_missing", "a node of EDGELESS takes events only")
        self._loop.call_soon(self._sink, RunEnded(sandbox, invocation.id, why, 0.0))

    def drop_template(self, template: str) -> None: ...
    def stop(self, sandbox: str, invocation: str) -> None: ...
    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None: ...  # noqa: FBT001 - mirrors Runtime
    def flow(self, sandbox: str, invocation: str, paused: bool) -> None: ...  # noqa: FBT001 - mirrors Runtime
    def leave(self, sandbox: str, invocation: str) -> None: ...


def _read(directory: Path) -> bytes:
    """
    Raises:
        OSError, ValueError: it is not there.
    """
    (file,) = directory.glob(f"*{MODULE}")
    return file.read_bytes()
