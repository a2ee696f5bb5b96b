"""The cgroup that a forking process waits in, so that its next child is born with its limits.

Moving a process between cgroups can take the kernel 20 ms (it waits for a grace period), which is several times what a
start may cost. So the zygote and every template are moved ahead, in the background, into the group of the sandbox that
they will fork next, instead of each sandbox after its birth.
"""

import asyncio
from collections.abc import Callable

from attacca.worker.host.cgroups import Group, Groups

LATER_S = 0.01  # after a birth

Born = Callable[[Group | None], None]


class Cradle:
    """One forking process's place. Without cgroups it is always ready and holds nothing."""

    def __init__(self, groups: Groups | None, spent: Callable[[Group], None]) -> None:
        """`spent` gets the groups that nobody was born in."""
        self._groups, self._spent = groups, spent
        self._pid = 0
        self._group: Group | None = None
        self._left: Group | None = None  # or about to be: the last child lives in it
        self._waiting: list[Born] = []
        self._later: asyncio.TimerHandle | None = None
        self._is_closed = False

    def settle(self, pid: int) -> None:
        """The process exists: move it into the first group."""
        self._pid = pid
        self._renew()

    def next(self, born: Born) -> None:
        """Call `born` with the group of the next child as soon as the process is in it; then the process moves on.

        Once the cradle is closed it is called with None, and whoever is called sees that the process is gone.
        """
        if self._groups is None or self._is_closed:
            born(None)
        elif self._group is None:
            self._waiting.append(born)
            if self._later is not None:
                self._move_on()
        else:
            group, self._group, self._left = self._group, None, self._group
            born(group)

    def made(self) -> None:
        """The child was born: the process may leave, when that does not keep the child from its first answer."""
        if self._groups is None or self._is_closed:
            return
        if self._waiting:
            self._renew()
        else:
            self._later = asyncio.get_running_loop().call_later(LATER_S, self._move_on)

    def _move_on(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._renew()

    def close(self) -> None:
        self._is_closed = True
        if self._later is not None:
            self._later.cancel()
        if self._group is not None:
            self._spent(self._group)
            self._group = None
        waiting, self._waiting = self._waiting, []
        for born in waiting:
            born(None)

    def _renew(self) -> None:
        if self._groups is None or self._is_closed:
            return
        try:
            group = self._groups.make()
        except OSError:
            self.close()  # the tree is gone under us: there is nothing to be born into
            return
        loop = asyncio.get_running_loop()
        moved = loop.run_in_executor(None, self._move, group, self._left)
        moved.add_done_callback(lambda future: self._moved(group, future))

    def _move(self, group: Group, left: Group | None) -> None:
        group.add(self._pid)
        if left is not None:
            left.unite()

    def _moved(self, group: Group, future: "asyncio.Future[None]") -> None:
        if future.cancelled() or future.exception() is not None or self._is_closed:
            self._spent(group)
            self.close()
        elif self._waiting:
            self._left = group
            self._waiting.pop(0)(group)
        else:
            self._group = group
