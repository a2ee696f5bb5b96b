"""Starts by a worker's runtime, as its worker would order them: each from the order until the sandbox is ready."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from attacca.model.function import Revision
from attacca.worker.core.reports import Report, SandboxGone, SandboxReady, TemplateReady
from attacca.worker.runtime.types import Runtime
from bench.result import Round

PAUSE_S = 0.05  # the next place, and the next network, are there
PAUSE_OF_MANY_S = 1.0


class Orders:
    """Hears what the runtime reports."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._news: asyncio.Queue[Report] = asyncio.Queue()
        self._count = 0

    async def open(self) -> None:
        await self._runtime.open(self._news.put_nowait)

    async def close(self) -> None:
        await self._runtime.close()

    async def make_template(self, name: str, revision: Revision) -> None:
        self._runtime.make_template(name, revision)
        report = await self._news.get()
        assert isinstance(report, TemplateReady), report

    async def start(self, revision: Revision, template: str | None = None) -> float:
        """Seconds; afterwards it is gone."""
        await asyncio.sleep(PAUSE_S)
        return await self._made(1, revision, template)

    async def start_all(self, count: int, revision: Revision) -> float:
        """Seconds until so many are ready that are wanted at once."""
        await asyncio.sleep(PAUSE_OF_MANY_S)
        return await self._made(count, revision, None)

    async def _made(self, count: int, revision: Revision, template: str | None) -> float:
        names = [f"s{self._count + number}" for number in range(1, count + 1)]
        self._count += count
        began = time.perf_counter()
        for name in names:
            self._runtime.make_sandbox(name, revision, template)
        for _ in names:
            report = await self._news.get()
            assert isinstance(report, SandboxReady), report
        took = time.perf_counter() - began
        for name in names:
            self._runtime.kill(name)
        for _ in names:
            assert isinstance(await self._news.get(), SandboxGone)
        return took


async def in_turns(
    ours: Callable[[], Awaitable[float]], floor: Callable[[], Awaitable[float]], rounds: int, size: int
) -> list[Round]:
    """Medians of so many of each, in milliseconds."""
    found = []
    for _ in range(rounds):
        pairs = [(await ours(), await floor()) for _ in range(size)]
        both = [statistics.median(column) * 1e3 for column in zip(*pairs, strict=True)]
        found.append(Round(both[0], both[1]))
    return found
