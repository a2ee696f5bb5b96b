"""Resources as a worker's runtime: what is a sandbox to others is an object of this process, on its event loop.

An event is handled within the time that its component has, and ends in a report whatever the resource does.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from attacca.errors import AttaccaError, Cancelled, FunctionFailed, Internal, TimedOut
from attacca.kernel.clock import Clock
from attacca.model.events import Delivery, EventKind, ReplyKind
from attacca.model.function import ResourceClass, Revision
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
from attacca.workflow.resources.reach import FAR, Reach
from attacca.workflow.resources.types import PATIENCE_S, Host, Resource, Served, Unable

LOG = logging.getLogger("attacca.resources")
CLOSE_S = 5.0
Find = Callable[[str], type[Resource]]
Work = Callable[[], Coroutine[Any, Any, Ok]]


class Place:
    """One resource, what it does now, and what it waits for."""

    def __init__(self, resource: Resource, timeout_s: float) -> None:
        self.resource, self.timeout_s = resource, timeout_s
        self.tasks: dict[str, asyncio.Task[None]] = {}  # by event or request
        self.asked: dict[int, asyncio.Future[bytes | None]] = {}
        self.count = 0

    def __repr__(self) -> str:
        return f"<Place {len(self.tasks)} at work, {len(self.asked)} calls open>"


class ResourceRuntime:
    """A `worker.runtime.types.Runtime`. `find` raises where there is no such class, or none for this node;
    `directory`: where resources that write files write them."""

    has_events: ClassVar[bool] = True

    def __init__(self, find: Find, directory: Path, clock: Clock, reach: Reach = FAR) -> None:
        self._find, self._directory, self._clock, self._reach = find, directory, clock, reach
        self._places: dict[str, Place] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._sink: Sink

    def __repr__(self) -> str:
        busy = sum(len(place.tasks) for place in self._places.values())
        return f"<ResourceRuntime {len(self._places)} resources, {busy} at work>"

    async def open(self, sink: Sink) -> None:
        self._sink = sink

    async def close(self) -> None:
        for name in list(self._places):
            self.kill(name)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        asyncio.get_running_loop().call_soon(self._make, sandbox, revision)

    def _make(self, sandbox: str, revision: Revision) -> None:
        artefact = revision.artefact
        assert isinstance(artefact, ResourceClass)
        host = Host(
            partial(self._cast, sandbox), self._directory, self._clock.wall, self._clock.now, self._reach,
            partial(self._call, sandbox), partial(self._call_to, sandbox),
            min(PATIENCE_S, revision.settings.timeout_s / 2),
        )  # fmt: skip
        try:
            resource = self._find(artefact.name)(dict(artefact.configuration), host)
        except AttaccaError as error:
            self._sink(SandboxFailed(sandbox, "bad_function", f"{error.message} ({error.hint})"))
            return
        self._places[sandbox] = Place(resource, revision.settings.timeout_s)
        self._sink(SandboxReady(sandbox, Making()))

    def kill(self, sandbox: str) -> None:
        place = self._places.pop(sandbox, None)
        if place is None:
            return
        for task in place.tasks.values():
            task.cancel()
        closing = asyncio.get_running_loop().create_task(self._close(sandbox, place))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _close(self, sandbox: str, place: Place) -> None:
        await asyncio.gather(*place.tasks.values(), return_exceptions=True)
        try:
            async with asyncio.timeout(CLOSE_S):
                await place.resource.close()
        except Exception:
            LOG.exception("%s did not end as it should", sandbox)
        self._sink(SandboxGone(sandbox, "sandbox_lost", "it was stopped"))

    # What it sends.

    def _cast(self, sandbox: str, output: str, data: bytes) -> None:
        if sandbox in self._places:
            self._sink(EventSent(sandbox, output, False, data))  # noqa: FBT003 - the report's

    async def _call(self, sandbox: str, output: str, data: bytes, seconds: float) -> bytes | None:
        return await self._ask(sandbox, output, data, seconds, is_instance=False)

    async def _call_to(self, sandbox: str, instance: str, data: bytes, seconds: float) -> bytes | None:
        return await self._ask(sandbox, instance, data, seconds, is_instance=True)

    async def _ask(self, sandbox: str, to: str, data: bytes, seconds: float, *, is_instance: bool) -> bytes | None:
        place = self._places.get(sandbox)
        if place is None:
            raise Cancelled("the resource was stopped")
        place.count += 1
        asked = place.count
        reply: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        place.asked[asked] = reply
        try:
            self._sink(EventAsked(sandbox, asked, to, is_instance, data, seconds))
            return await reply
        finally:
            del place.asked[asked]

    def _responded(self, place: Place, word: Respond) -> None:
        reply = place.asked.get(word.asked)
        if reply is None or reply.done():
            return
        if word.kind is ReplyKind.ERROR:
            reply.set_exception(FunctionFailed(word.data.decode("utf-8", "replace"), "whoever was called says why"))
        else:
            reply.set_result(word.data if word.kind is ReplyKind.REPLY else None)

    # What it handles.

    def tell(self, sandbox: str, word: ToSandbox) -> None:
        place = self._places.get(sandbox)
        if place is None:
            return
        if isinstance(word, Deliver):
            self._begin(sandbox, place, word.delivery.id, partial(self._handled, place, word.delivery))
        elif isinstance(word, Respond):
            self._responded(place, word)

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        place = self._places.get(sandbox)
        if place is not None:
            self._begin(sandbox, place, invocation.id, partial(self._served, place, invocation))

    def stop(self, sandbox: str, invocation: str) -> None:
        place = self._places.get(sandbox)
        if place is not None and invocation in place.tasks:
            place.tasks[invocation].cancel()

    def _begin(self, sandbox: str, place: Place, name: str, work: Work) -> None:
        task = asyncio.get_running_loop().create_task(self._bounded(sandbox, place, name, work))
        place.tasks[name] = task
        task.add_done_callback(lambda _: place.tasks.pop(name, None))

    async def _bounded(self, sandbox: str, place: Place, name: str, work: Work) -> None:
        began, outcome = self._clock.now(), await _outcome(work, place.timeout_s)
        place.tasks.pop(name, None)
        if self._places.get(sandbox) is place:
            self._sink(RunEnded(sandbox, name, outcome, (self._clock.now() - began) * 1e3))

    async def _handled(self, place: Place, delivery: Delivery) -> Ok:
        resource, reply = place.resource, None
        match delivery.kind:
            case EventKind.INIT:
                self_id, _, workflow = delivery.source.partition("\n")
                await resource.open(self_id, workflow)
            case EventKind.CAST:
                await resource.cast(delivery.source, delivery.data or b"")
            case EventKind.CALL:
                reply = await resource.call(delivery.source, delivery.data or b"")
            case EventKind.STOP:
                pass
        return Ok(reply or b"", status=204 if reply is None else 200)

    async def _served(self, place: Place, invocation: Invocation) -> Ok:
        resource = place.resource
        if not isinstance(resource, Served):
            raise Unable("this resource takes no requests", "send it events")
        return await resource.serve(invocation.request)

    def make_template(self, template: str, revision: Revision) -> None:
        why = "a resource has no template"
        asyncio.get_running_loop().call_soon(self._sink, TemplateFailed(template, "start_failed", why))

    # What is no business of a resource's.

    def drop_template(self, template: str) -> None: ...
    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None: ...  # noqa: FBT001 - mirrors Runtime
    def flow(self, sandbox: str, invocation: str, paused: bool) -> None: ...  # noqa: FBT001 - mirrors Runtime
    def leave(self, sandbox: str, invocation: str) -> None: ...


async def _outcome(work: Work, seconds: float) -> Outcome:
    error: AttaccaError
    try:
        async with asyncio.timeout(seconds):
            return await work()
    except AttaccaError as failed:
        error = failed
    except TimeoutError:
        error = TimedOut(f"the resource did not answer within {seconds:g} s", "see whether what it stands for is there")
    except asyncio.CancelledError:
        error = Cancelled("it was stopped")
    except Exception as bug:
        LOG.exception("a resource failed")
        error = Internal(f"{type(bug).__name__}: {bug}", "this is a bug of the resource; the worker's log has more")
    return Failed(error.code, error.message, error.hint)
