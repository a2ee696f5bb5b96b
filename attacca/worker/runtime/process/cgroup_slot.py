"""The cgroup that a forking process waits in, so that its next child is born with its limits.

Moving a process between cgroups can take the kernel 20 ms (it waits for a grace period), which is several times what a
start may cost. So the zygote and every template are moved ahead, in the background, into the group of the sandbox that
they will fork next, instead of each sandbox after its birth.
"""

import asyncio
from collections.abc import Callable

from attacca.worker.host.cgroups import Group

LATER_S = 0.01  # after a birth

Born = Callable[[Group | None], None]


class CgroupSlot:
    """One forking process's place. Without cgroups it is always ready and holds nothing."""

    def __init__(self, make: Callable[[], Group] | None, spent: Callable[[Group], None]) -> None:
        """`make` is called in another thread. `spent` gets the groups that nobody was born in."""
        self._make, self._spent = make, spent
        self._pid = 0
        self._group: Group | None = None
        self._left: Group | None = None  # or about to be: the last child lives in it
        self._waiting: list[Born] = []
        self._later: asyncio.TimerHandle | None = None
        self._is_moving = False
        self._is_stuck = False  # it could not be moved
        self._is_closed = False

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "moving" if self._is_moving else "ready" if self._group else "left"
        return f"<CgroupSlot {state}, {len(self._waiting)} waiting>"

    def settle(self, pid: int) -> None:
        """The process exists: move it into the first group."""
        self._pid = pid
        self._renew()

    def next(self, born: Born) -> None:
        """Call `born` with the group of the next child as soon as the process is in it; then the process moves on.

        It is called with None when the slot is closed, and when the process could not be moved: nobody must be born
        then, because it would be into the group of another.
        """
        if self._make is None or self._is_closed:
            born(None)
        elif self._group is None:
            self._waiting.append(born)
            if self._later is not None or self._is_stuck:
                self._move_on()
        else:
            group, self._group, self._left = self._group, None, self._group
            born(group)

    def made(self) -> None:
        """The child was born, or will not be: the process may leave, when that does not keep the child from its first
        answer."""
        if self._make is None or self._is_closed or self._group is not None or self._later is not None:
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
        self._disappoint()

    def _disappoint(self) -> None:
        waiting, self._waiting = self._waiting, []
        for born in waiting:
            born(None)

    def _renew(self) -> None:
        if self._make is None or self._is_closed or self._is_moving or self._group is not None or not self._pid:
            return
        self._is_moving, self._is_stuck = True, False
        moved = asyncio.get_running_loop().run_in_executor(None, self._move, self._make, self._left)
        moved.add_done_callback(self._moved)

    def _move(self, make: Callable[[], Group], left: Group | None) -> tuple[Group | None, bool]:
        """Returns the group, and whether the process is in it."""
        group: Group | None = None
        try:
            group = make()
            group.add(self._pid)
            if left is not None:
                left.unite()
        except OSError:  # the tree, or the process, is gone under us: there is nothing to be born into
            return group, False
        return group, True

    def _moved(self, future: "asyncio.Future[tuple[Group | None, bool]]") -> None:
        self._is_moving = False
        group, is_there = (None, False) if future.cancelled() or future.exception() is not None else future.result()
        if group is None or not is_there or self._is_closed:
            if group is not None:
                self._spent(group)
            self._is_stuck = True  # and is tried again when somebody wants to be born
            self._disappoint()
        elif self._waiting:
            self._left = group
            self._waiting.pop(0)(group)
        else:
            self._group = group
