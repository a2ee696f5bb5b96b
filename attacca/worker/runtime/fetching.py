"""A runtime behind a worker's supplies: a start waits until what it is made of has come, and others do not wait."""

import asyncio
import logging
from collections.abc import Callable, Collection

import msgspec

from attacca.errors import StartFailed
from attacca.kernel.clock import Clock
from attacca.model.function import Image, Revision
from attacca.model.invocation import Making
from attacca.worker.core.reports import (
    Report,
    SandboxFailed,
    SandboxReady,
    Sink,
    TemplateFailed,
    TemplateReady,
)
from attacca.worker.runtime.around import Around
from attacca.worker.runtime.supplies import Supplies, digests
from attacca.worker.runtime.types import Runtime
from attacca.worker.runtime.unforeseen import failure

LOG = logging.getLogger("attacca.worker")


class Fetching(Around):
    """It is a `types.Runtime`. `held`: the digests of what the worker has sandboxes and templates of. How long the
    code took to come is part of the start's `code` time, and of an image, of its `image` time."""

    def __init__(self, inner: Runtime, supplies: Supplies, clock: Clock, held: Callable[[], Collection[str]]) -> None:
        self._inner, self._supplies, self._clock, self._held = inner, supplies, clock, held
        self._waiting: dict[str, tuple[Revision, asyncio.Task[None]]] = {}  # starts whose code has not come
        self._ahead: dict[str, tuple[Revision, asyncio.Task[None]]] = {}  # fetched before anybody starts it
        self._turn = asyncio.Lock()  # of those: one after the other
        self._came: dict[str, Making] = {}  # of starts whose code has just come: how long that took
        self._sink: Sink

    def __repr__(self) -> str:
        return f"<Fetching {len(self._waiting)} starts wait for {self._supplies!r}>"

    async def open(self, sink: Sink) -> None:
        self._sink = sink
        await self._inner.open(self._report)

    async def close(self) -> None:
        tasks = [task for _, task in (*self._waiting.values(), *self._ahead.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._supplies.close()
        await self._inner.close()

    def make_template(self, template: str, revision: Revision) -> None:
        def failed(code: str, message: str, hint: str) -> Report:
            return TemplateFailed(template, code, message, hint=hint)

        self._begin(template, revision, lambda: self._inner.make_template(template, revision), failed)

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        def failed(code: str, message: str, _: str) -> Report:
            return SandboxFailed(sandbox, code, message)

        self._begin(sandbox, revision, lambda: self._inner.make_sandbox(sandbox, revision, template), failed)

    def drop_template(self, template: str) -> None:
        if not self._give_up(template):
            self._inner.drop_template(template)

    def kill(self, sandbox: str) -> None:
        if not self._give_up(sandbox):
            self._inner.kill(sandbox)

    def prefetch(self, revision: Revision) -> None:
        """What it is made of is to be here, unpacked, before somebody wants it. It comes in its turn, and whoever
        starts something meanwhile waits for no other."""
        if revision.id not in self._ahead:
            task = asyncio.get_running_loop().create_task(self._bring_ahead(revision))
            self._ahead[revision.id] = revision, task
            task.add_done_callback(lambda _: self._ahead.pop(revision.id))

    async def _bring_ahead(self, revision: Revision) -> None:
        async with self._turn:
            try:
                await self._supplies.bring_code(revision, self._in_use)
                if isinstance(revision.artefact, Image) and self._supplies.images is not None:
                    await self._supplies.images.unpack(revision.artefact.digest)
            except Exception as error:  # noqa: BLE001 - logged where it was not foreseen
                why = failure(error, f"what {revision.id} is made of did not come ahead")
                LOG.warning("%s was not fetched ahead: %s", revision.id, why.message)

    def _begin(
        self, name: str, revision: Revision, begin: Callable[[], None], failed: Callable[[str, str, str], Report]
    ) -> None:
        if self._supplies.has(revision):
            self._supplies.use(revision)
            begin()
            return
        task = asyncio.get_running_loop().create_task(self._wait(name, revision, begin, failed))
        self._waiting[name] = revision, task

    async def _wait(
        self, name: str, revision: Revision, begin: Callable[[], None], failed: Callable[[str, str, str], Report]
    ) -> None:
        since = self._clock.now()
        try:
            await self._supplies.bring(revision, self._in_use)
        except asyncio.CancelledError:
            del self._waiting[name]
            self._sink(failed(StartFailed.code, "it was given up before its code had come", ""))
        except Exception as error:  # noqa: BLE001 - logged where it was not foreseen
            del self._waiting[name]
            why = failure(error, f"the code of {revision.id} did not come")
            self._sink(failed(why.code, why.message, why.hint))
        else:
            del self._waiting[name]
            came_ms = (self._clock.now() - since) * 1e3
            self._came[name] = Making(image=came_ms) if isinstance(revision.artefact, Image) else Making(code=came_ms)
            self._supplies.use(revision)
            begin()

    def _give_up(self, name: str) -> bool:
        waiting = self._waiting.get(name)
        if waiting is not None:
            waiting[1].cancel()
        return waiting is not None

    def _in_use(self) -> set[str]:
        of = (*self._waiting.values(), *self._ahead.values())
        return digests(revision for revision, _ in of).union(self._held())

    def _report(self, report: Report) -> None:
        if self._came and isinstance(report, SandboxReady | SandboxFailed | TemplateReady | TemplateFailed):
            report = self._with_code(report)
        self._sink(report)

    def _with_code(
        self, report: SandboxReady | SandboxFailed | TemplateReady | TemplateFailed
    ) -> SandboxReady | SandboxFailed | TemplateReady | TemplateFailed:
        name = report.sandbox if isinstance(report, SandboxReady | SandboxFailed) else report.template
        came = self._came.pop(name, None)
        if came is None or isinstance(report, SandboxFailed | TemplateFailed):
            return report
        return msgspec.structs.replace(report, made=report.made.after(came))
