"""A runtime that looks from time to time whether the accelerators that were found are still there."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterable

from attacca.model.function import Revision
from attacca.worker.config import AcceleratorsConfig
from attacca.worker.core.reports import DevicesSeen, Sink
from attacca.worker.host.accelerators import TIMEOUT_S, devices_of, programs
from attacca.worker.host.energy.programs import plain
from attacca.worker.runtime.around import Around
from attacca.worker.runtime.types import Runtime

SLICE = "MIG-"


def watched(config: AcceleratorsConfig, runtime: Runtime) -> Runtime:
    """As it is, where nothing was found or nobody is to look."""
    found = [device.name for device in config.devices if device.is_found]
    declared = [device.name for device in config.devices if not device.is_found]
    return Looking(runtime, found, declared, config.look_s) if found and config.look_s else runtime


class Looking(Around):
    """It is a `types.Runtime`. A program that does not answer says nothing of what is there; one that answers without a
    device says that it is gone."""

    def __init__(self, inner: Runtime, found: Iterable[str], declared: Iterable[str], every_s: float) -> None:
        self._inner, self._found, self._declared = inner, tuple(found), tuple(declared)
        self._every_s, self._seen = every_s, self._found
        self._looking: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Looking for {len(self._found)} devices, {len(self._seen)} seen>"

    async def open(self, sink: Sink) -> None:
        await self._inner.open(sink)
        self._looking = asyncio.create_task(self._look(sink))

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        await self._inner.close()

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        self._inner.make_sandbox(sandbox, revision, template)

    def programs(self) -> list[list[str]]:
        """Who can tell whether they are there: of slices nvidia-smi, which lists what they are of, cannot."""
        has_slices = any(name.startswith(SLICE) for name in self._found)
        return [program for program in programs() if program[0] == sys.executable or not has_slices]

    async def _look(self, sink: Sink) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            text = await _asked(self.programs())
            if text is None:
                continue
            there = {device.name for device in devices_of(text)}
            seen = tuple(name for name in self._found if name in there)
            if seen != self._seen:
                self._seen = seen
                sink(DevicesSeen((*self._declared, *seen)))


async def _asked(programs: list[list[str]]) -> str | None:
    """What the first says that answers; None: none does."""
    for program in programs:
        said = await _said(program)
        if said is not None:
            return said
    return None


async def _said(program: list[str]) -> str | None:
    """None: it is not there, took too long, or is ours and says that it cannot."""
    try:
        process = await asyncio.create_subprocess_exec(
            *program, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, env=plain()
        )
    except OSError:
        return None
    try:
        said, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if program[0] == sys.executable and process.returncode != 0:
        return None
    return said.decode(errors="replace")
