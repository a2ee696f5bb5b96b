"""A wait of the kernel's that is begun before somebody has to wait.

Who is the first to move a process between cgroups for some 50 ms waits for a grace period, 8 to 12 ms on a machine of
two processors; whoever moves one while that lasts, or within some 10 ms of it, hardly waits at all. An engine moves
its container after it has worked for about as long: the wait begins when the engine does, and is over when it gets
there.
"""

import asyncio
import contextlib
from pathlib import Path

from attacca.worker.host.hierarchy import UNIFIED, Mounted, places, write

OURSELVES = "0"  # to the kernel: whoever writes it


class Grace:
    """Begins it by moving this process to where it is, which the kernel does like any other move."""

    def __init__(self) -> None:
        self._said, self._file = "", ""  # where the kernel says that we are, and the file of members there
        self._under_way: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<Grace at {self._file or 'no place yet'}>"

    def begin(self) -> None:
        """In another thread, unless one is there already. Without the right to it nothing happens."""
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.get_running_loop().run_in_executor(None, self.wait)

    def wait(self) -> None:
        """The whole of it. Blocking."""
        with contextlib.suppress(OSError):  # a kernel without cgroups has no such wait
            said = Path("/proc/self/cgroup").read_text()
            if said != self._said:
                self._said, self._file = said, members(places(said, Path("/proc/self/mountinfo").read_text()))
            if self._file:
                write(self._file, OURSELVES)


def members(found: dict[str, Mounted]) -> str:
    """The file of those who are where we are, in a hierarchy in which nobody here moves us; empty if there is none."""
    place = next((found[name] for name in ("pids", "memory", UNIFIED) if name in found), None)
    return f"{place.own}/cgroup.procs" if place is not None else ""
