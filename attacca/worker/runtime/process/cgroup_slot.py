"""The cgroup that a forking process waits in, so that its next child is born with its limits.

Moving a process between cgroups can take the kernel 20 ms (it waits for a grace period), which is several times what a
start may cost. So the zygote and every template are moved ahead, in the background, into the group of the sandbox that
they will fork next, instead of each sandbox after its birth.

Where many want to be born at once, each would wait for all those moves before its own. Then a zygote, whose children
run nobody's code before they are told to, is moved to a group that is nobody's, and stays as long as they come: they
are born there one right after another, and each first of all enters its own group by itself, while others do the same.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from attacca.worker.host.cgroups import Group

LATER_S = 0.01  # after a birth


class Entry(NamedTuple):
    """`group` is where whoever is born lives; None: nowhere. `by_itself`: it has to go there first of all, since it is
    not born there."""

    group: Group | None
    by_itself: bool = False


Born = Callable[[Entry], None]


class CgroupSlot:
    """One forking process's place. Without cgroups it is always ready and holds nothing."""

    def __init__(
        self, make: Callable[[], Group] | None, spent: Callable[[Group], None], *, can_crowd: bool = False
    ) -> None:
        """`make` is called in another thread. `spent` gets the groups that nobody was born in. `can_crowd`: whoever is
        born may be told to enter its group by itself; `make` is then called in this thread, too."""
        self._make, self._spent, self._can_crowd = make, spent, can_crowd
        self._pid = 0
        self._group: Group | None = None
        self._left: Group | None = None  # or about to be: the last child lives in it
        self._waiting: list[Born] = []
        self._nursery: Group | None = None  # nobody's
        self._is_crowded = False  # the process is there
        self._coming = 0  # births there that were begun
        self._has_come = False  # somebody, since it was last looked
        self._later: asyncio.TimerHandle | None = None
        self._is_moving = False
        self._is_stuck = False  # it could not be moved
        self._is_closed = False

    def __repr__(self) -> str:
        place = "crowded" if self._is_crowded else "ready" if self._group else "left"
        state = "closed" if self._is_closed else "moving" if self._is_moving else place
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
            born(Entry(None))
        elif self._group is not None:
            group, self._group, self._left = self._group, None, self._group
            born(Entry(group))
        elif self._is_crowded:
            self._crowd(born, self._make)
        else:
            self._waiting.append(born)
            if self._later is not None or self._is_stuck:
                self._move_on()

    def _crowd(self, born: Born, make: Callable[[], Group]) -> None:
        self._has_come = True
        try:
            group = make()
            group.unite()
        except OSError:
            born(Entry(None))
            return
        self._coming += 1
        born(Entry(group, by_itself=True))

    def made(self) -> None:
        """The child was born, or will not be: the process may leave, when that does not keep the child from its first
        answer."""
        if self._coming:
            self._coming -= 1
            return
        if self._make is None or self._is_closed or self._group is not None or self._later is not None:
            return
        if self._waiting:
            self._renew()
        else:
            self._look_later()

    def _move_on(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._is_crowded and (self._coming or self._has_come):
            self._has_come = False
            self._look_later()
        else:
            self._renew()

    def _look_later(self) -> None:
        self._later = asyncio.get_running_loop().call_later(LATER_S, self._move_on)

    def close(self) -> None:
        self._is_closed = True
        if self._later is not None:
            self._later.cancel()
        for group in (self._group, self._nursery):
            if group is not None:
                self._spent(group)
        self._group = self._nursery = None
        self._disappoint()

    def _disappoint(self) -> None:
        waiting, self._waiting = self._waiting, []
        for born in waiting:
            born(Entry(None))

    def _renew(self) -> None:
        if self._make is None or self._is_closed or self._is_moving or self._group is not None or not self._pid:
            return
        self._is_moving, self._is_stuck, self._is_crowded = True, False, False
        will_crowd = self._can_crowd and bool(self._waiting)
        there = self._nursery if will_crowd else None
        moved = asyncio.get_running_loop().run_in_executor(None, self._move, self._make, there, self._left)
        moved.add_done_callback(self._came if will_crowd else self._moved)

    def _move(self, make: Callable[[], Group], there: Group | None, left: Group | None) -> tuple[Group | None, bool]:
        """Returns the group, and whether the process is in it."""
        group = there
        try:
            group = group or make()
            group.add(self._pid)
            if left is not None:
                left.unite()
        except OSError:  # the tree, or the process, is gone under us: there is nothing to be born into
            return group, False
        return group, True

    def _moved(self, future: "asyncio.Future[tuple[Group | None, bool]]") -> None:
        if (group := self._arrived(future)) is None:
            return
        if self._waiting:
            self._left = group
            self._waiting.pop(0)(Entry(group))
        else:
            self._group = group

    def _came(self, future: "asyncio.Future[tuple[Group | None, bool]]") -> None:
        """To where many are born."""
        if (group := self._arrived(future)) is None:
            return
        self._nursery, self._left, self._is_crowded = group, None, True
        self._look_later()
        waiting, self._waiting = self._waiting, []
        for born in waiting:
            self.next(born)

    def _arrived(self, future: "asyncio.Future[tuple[Group | None, bool]]") -> Group | None:
        """Where the process is now; None when it could not be moved, or is not wanted there any more."""
        self._is_moving = False
        group, is_there = (None, False) if future.cancelled() or future.exception() is not None else future.result()
        if group is not None and is_there and not self._is_closed:
            return group
        if group is not None:
            self._spent(group)
        self._nursery = None if group is self._nursery else self._nursery
        self._is_stuck = True  # and is tried again when somebody wants to be born
        self._disappoint()
        return None
