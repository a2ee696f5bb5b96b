"""Cables out of the networks of sandboxes and templates: laid when these are there, before a user's code runs."""

import asyncio
import os
from collections.abc import Callable
from typing import Protocol

from attacca.errors import AttaccaError
from attacca.model.function import Network, Revision
from attacca.model.messages import Logged
from attacca.worker.core.reports import Sink
from attacca.worker.host.nat.outside import Cable, Nat
from attacca.worker.runtime.process.child_process import ChildProcess
from attacca.worker.runtime.process.lineage import ids

Plug = Callable[[int, Callable[[], None]], None]  # into whose network; what is next


class Made(Protocol):
    """A sandbox or a template."""

    name: str
    revision: Revision
    process: ChildProcess
    plug: Plug | None

    def fail(self, code: str, message: str) -> None: ...


class Wiring:
    def __init__(self, nat: Nat, sink: Sink) -> None:
        self._nat, self._sink = nat, sink
        self._lines: dict[str, Cable] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        nat.hold()

    def __repr__(self) -> str:
        return f"<Wiring {len(self._lines)} lines, {len(self._tasks)} being laid>"

    async def close(self) -> None:
        """All sandboxes are gone."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._nat.release()

    def prepare(self, made: Made) -> None:
        """If it is to have a way out."""
        if made.revision.settings.network is Network.NAT:
            made.plug = lambda pid, go: self._begin(made, pid, go)

    def unplug(self, name: str) -> None:
        if (line := self._lines.pop(name, None)) is not None:
            self._nat.unplug(line)

    def _begin(self, made: Made, pid: int, go: Callable[[], None]) -> None:
        task = asyncio.get_running_loop().create_task(self._plug(made, pid, go))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _plug(self, made: Made, pid: int, go: Callable[[], None]) -> None:
        of = made.revision

        def tell(text: str) -> None:
            self._sink(Logged(of.function, of.id, made.name, "", "network", text))

        try:
            descriptor = network_of(pid)
            try:
                line = await self._nat.plug(descriptor, of.settings, tell)
            finally:
                os.close(descriptor)
        except AttaccaError as error:
            self._fail(made, f"{error.message} ({error.hint})")
        except OSError as error:
            self._fail(made, f"it could be given no way out: {error}")
        else:
            if made.process.is_over:
                self._nat.unplug(line)
            else:
                self._lines[made.name] = line
                go()

    @staticmethod
    def _fail(made: Made, why: str) -> None:
        if not made.process.is_over:
            made.fail("start_failed", why)
            made.process.kill(why)


def network_of(pid: int) -> int:
    """A descriptor of the network namespace of a process that is held: while its parent is the same, so is it.

    Raises:
        OSError: it is gone, or has none of its own.
    """
    before = ids(pid)
    descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    after, ours = ids(pid), os.stat("/proc/thread-self/ns/net").st_ino
    if before is None or after != before or os.fstat(descriptor).st_ino == ours:
        os.close(descriptor)
        raise OSError("its process is gone, or has no network of its own")
    return descriptor
