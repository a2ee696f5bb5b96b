"""Resources as a worker's runtime: what is a sandbox to others is an object of this process, on its event loop."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from attacca.errors import AttaccaError, NotFound
from attacca.kernel.clock import Clock
from attacca.model.events import Delivery, EventKind
from attacca.model.function import ResourceClass, Revision
from attacca.model.invocation import Failed, Invocation, Ok, Outcome
from attacca.worker.core.events import Deliver, OfEvent
from attacca.worker.core.reports import (
    EventSent,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
    Sink,
    TemplateFailed,
)
from attacca.workflow.resources.types import Host, Resource


class ResourceRuntime:
    """A `worker.runtime.types.Runtime`. `directory`: where resources that write files write them."""

    def __init__(self, classes: Mapping[str, type[Resource]], directory: Path, clock: Clock) -> None:
        self._classes, self._directory, self._clock = classes, directory, clock
        self._resources: dict[str, Resource] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by sandbox: what it does now
        self._sink: Sink

    def __repr__(self) -> str:
        return f"<ResourceRuntime {len(self._resources)} resources, {len(self._tasks)} at work>"

    async def open(self, sink: Sink) -> None:
        self._sink = sink

    async def close(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for resource in self._resources.values():
            await resource.close()
        self._resources.clear()

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        artefact = revision.artefact
        assert isinstance(artefact, ResourceClass)
        asyncio.get_running_loop().call_soon(self._make, sandbox, artefact)

    def _make(self, sandbox: str, artefact: ResourceClass) -> None:
        made = self._classes.get(artefact.name)
        try:
            if made is None:
                known = ", ".join(sorted(self._classes))
                raise NotFound(f"there is no resource of the class {artefact.name!r}", f"this node has {known}")
            host = Host(partial(self._cast, sandbox), self._directory, self._clock.wall)
            resource = made(dict(artefact.configuration), host)
        except AttaccaError as error:
            self._sink(SandboxFailed(sandbox, "bad_function", f"{error.message} ({error.hint})"))
            return
        self._resources[sandbox] = resource
        self._sink(SandboxReady(sandbox, 0.0, 0.0, 0.0))

    def _cast(self, sandbox: str, output: str, data: bytes) -> None:
        if sandbox in self._resources:
            self._sink(EventSent(sandbox, output, False, data))  # noqa: FBT003 - the report's

    def kill(self, sandbox: str) -> None:
        resource = self._resources.pop(sandbox, None)
        if resource is None:
            return
        task = self._tasks.pop(sandbox, None)
        if task is not None:
            task.cancel()
        closing = asyncio.get_running_loop().create_task(self._close(sandbox, resource))
        self._tasks[sandbox] = closing

    async def _close(self, sandbox: str, resource: Resource) -> None:
        try:
            await resource.close()
        finally:
            self._tasks.pop(sandbox, None)
            self._sink(SandboxGone(sandbox, "sandbox_lost", "it was stopped"))

    def tell(self, sandbox: str, word: OfEvent) -> None:
        resource = self._resources.get(sandbox)
        if resource is not None and isinstance(word, Deliver):
            handling = self._handle(sandbox, resource, word.delivery)
            self._tasks[sandbox] = asyncio.get_running_loop().create_task(handling)

    async def _handle(self, sandbox: str, resource: Resource, delivery: Delivery) -> None:
        began, reply = self._clock.now(), None
        outcome: Outcome
        try:
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
            outcome = Ok(reply or b"", status=204 if reply is None else 200)
        except AttaccaError as error:
            outcome = Failed("bad_function", error.message, error.hint)
        if self._tasks.get(sandbox) is asyncio.current_task():
            del self._tasks[sandbox]
        self._sink(RunEnded(sandbox, delivery.id, outcome, (self._clock.now() - began) * 1e3))

    def make_template(self, template: str, revision: Revision) -> None:
        why = "a resource has no template"
        asyncio.get_running_loop().call_soon(self._sink, TemplateFailed(template, "start_failed", why))

    # What is no business of a resource's.

    def drop_template(self, template: str) -> None: ...
    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None: ...
    def stop(self, sandbox: str, invocation: str) -> None: ...
    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None: ...  # noqa: FBT001 - mirrors Runtime
    def flow(self, sandbox: str, invocation: str, paused: bool) -> None: ...  # noqa: FBT001 - mirrors Runtime
    def leave(self, sandbox: str, invocation: str) -> None: ...
