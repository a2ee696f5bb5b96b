"""Sandboxes that have loaded wasmtime and wait for a module: made ahead of need, each for one instance."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from typing import Protocol

from attacca.errors import AttaccaError
from attacca.model.function import Network, PythonDirectory, Revision, Settings, Signature
from attacca.worker.core.reports import (
    Report,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
    TemplateFailed,
    TemplateGone,
    TemplateReady,
)
from attacca.worker.runtime.types import Runtime

CODE = "wasm"  # the name of our own directory
TEMPLATE = "wasm-template"
AHEAD = 3  # how many wait
TAKEN = "its host ended before it was taken"


class Processes(Runtime, Protocol):
    """What makes hosts."""

    def limit(self, sandbox: str, revision: Revision) -> None:
        """From now on it may have what that revision may.

        Raises:
            OSError: it is ending.
        """


Taken = Callable[[str, SandboxFailed | None], None]  # the host's name; or why there is none


def revision(bundle: str, memory_mb: int, timeout_s: float = 86_400.0) -> Revision:
    """What a host is made of. It may hold all that a worker has, until it is somebody's."""
    settings = Settings(name="wasm", memory_mb=memory_mb, timeout_s=timeout_s, network=Network.NONE)
    return Revision(
        function="wasm", number=1, settings=settings, handler="host.main:Wasm", signature=Signature.EVENTS,
        artefact=PythonDirectory(CODE, bundle),
    )  # fmt: skip


class Hosts:
    """`processes` makes them, and is opened when the first is wanted; all that it reports comes to `hear`."""

    def __init__(self, processes: Processes, of: Revision, hear: Callable[[Report], None]) -> None:
        self.processes, self._of, self._hear = processes, of, hear
        self._count = itertools.count(1)
        self._idle: deque[str] = deque()
        self._starting: set[str] = set()
        self._waiting: deque[Taken] = deque()
        self._opening: asyncio.Task[None] | None = None
        self._is_open = self._is_closing = False
        self._template = ""  # ready to be forked from

    def __repr__(self) -> str:
        return f"<Hosts {len(self._idle)} wait, {len(self._starting)} starting, {len(self._waiting)} wanted>"

    async def close(self) -> None:
        self._is_closing = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._is_open:
            await self.processes.close()
        self._fail(SandboxFailed("", "sandbox_lost", "its worker ends"))

    def take(self, taken: Taken) -> None:
        """One that waits, at once; or the next that is ready."""
        if self._idle:
            taken(self._idle.popleft(), None)
        else:
            self._waiting.append(taken)
        self._fill()

    def forget(self, taken: Taken) -> None:
        if taken in self._waiting:
            self._waiting.remove(taken)

    def heard(self, report: Report) -> bool:
        """Whether it was about one that is nobody's yet."""
        match report:
            case SandboxReady() if report.sandbox in self._starting:
                self._starting.discard(report.sandbox)
                self._give(report.sandbox)
            case SandboxFailed() if report.sandbox in self._starting:
                self._starting.discard(report.sandbox)
                self._fail(report)
            case SandboxGone() if report.sandbox in self._idle:
                self._idle.remove(report.sandbox)
                self._fill()
            case TemplateReady():
                self._template = "" if report.unfit else report.template
                self._make()
            case TemplateFailed():
                self._opening = None
                self._fail(SandboxFailed("", report.code, report.message, report.traceback))
            case TemplateGone():
                self._template, self._opening = "", None
                self._fill()
            case _:
                return False
        return True

    def _give(self, host: str) -> None:
        if self._waiting:
            self._waiting.popleft()(host, None)
        else:
            self._idle.append(host)

    def _fail(self, why: SandboxFailed) -> None:
        waiting, self._waiting = self._waiting, deque()
        for taken in waiting:
            taken("", why)

    def _fill(self) -> None:
        if self._is_closing:
            return
        if self._template:
            asyncio.get_running_loop().call_soon(self._make)  # whoever has just taken one comes first
        elif self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        try:
            if not self._is_open:
                await self.processes.open(self._hear)
                self._is_open = True
        except AttaccaError as error:
            self._opening = None
            self._fail(SandboxFailed("", error.code, error.message))
        else:
            self.processes.make_template(TEMPLATE, self._of)

    def _make(self) -> None:
        wanted = len(self._waiting) + AHEAD - len(self._starting) - len(self._idle)
        for _ in range(wanted if self._template and not self._is_closing else 0):
            name = f"wasm-{next(self._count)}"
            self._starting.add(name)
            self.processes.make_sandbox(name, self._of, self._template)
