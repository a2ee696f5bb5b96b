"""Who is whose child, as /proc tells it: what a process says of its children is believed as far as it is seen there."""

import contextlib
import os
import re
import select
from typing import NamedTuple

from attacca.worker.host.cgroups import Group
from attacca.worker.host.tables import whole

LOOKS = 3
MANY = 256  # children, of which the kernel writes down four in a microsecond, and fewer where there are thousands
PARENT, NUMBERS = (re.compile(rb"^%b:([\d\s]+?)\n" % name, re.MULTILINE) for name in (b"PPid", b"NSpid"))


class Ids(NamedTuple):
    """A process's parent, and its own number in each namespace, from ours to its innermost."""

    parent: int
    numbers: tuple[int, ...]


class Lineage:
    """The children of one process that are known already, so that a new one is found at once."""

    def __init__(self) -> None:
        self.pid = 0
        self.depth = 1
        self._known: set[int] = set()

    def __repr__(self) -> str:
        return f"<Lineage of {self.pid}, {len(self._known)} known>"

    def settle(self, pid: int) -> None:
        """The parent. It has to be there, and held."""
        self.pid = pid
        found = ids(pid)
        self.depth = len(found.numbers) if found is not None else 1

    def find(self, number: int, innermost: int, group: Group | None = None) -> tuple[int, int]:
        """(pid, pidfd) of the new child that its parent calls `number`, and that is `innermost` in a namespace of its
        own (0: it has none); (0, -1) when there is no such child. `group`: where it should have been born."""
        if group is not None and len(self._known) > MANY:
            found = self._find(group.processes(), number, innermost)
            if found[0]:
                return found
        return self._find(children(self.pid), number, innermost)

    def _find(self, among: list[int], number: int, innermost: int) -> tuple[int, int]:
        for pid in among:
            if pid in self._known:
                continue
            with contextlib.suppress(OSError):
                pidfd = os.pidfd_open(pid)
                is_it = is_child(ids(pid), self.pid, self.depth, number, innermost)
                if is_it and not _has_ended(pidfd):
                    self._known.add(pid)
                    return pid, pidfd
                os.close(pidfd)
        return 0, -1

    def forget(self, pid: int) -> None:
        self._known.discard(pid)


def is_child(found: Ids | None, parent: int, depth: int, number: int, innermost: int) -> bool:
    """Whether it is `parent`'s child, which calls it `number` where it lives, `depth` namespaces down from outside."""
    if found is None or found.parent != parent or len(found.numbers) < depth:
        return False
    inner = found.numbers[depth:]
    return found.numbers[depth - 1] == number and inner == ((innermost,) if innermost else ())


def _has_ended(pidfd: int) -> bool:
    poll = select.poll()  # select() knows no descriptors beyond 1023
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def household(pid: int) -> list[int]:
    """The children of this process that live in the same namespace of processes as it does, the first-born first."""
    own = ids(pid)
    found: list[tuple[int, int]] = []
    for _ in range(LOOKS if own is not None else 0):
        each = [(its.numbers, child) for child in children(pid) if (its := ids(child)) is not None]
        now = [(numbers[-1], child) for numbers, child in each if own and len(numbers) == len(own.numbers)]
        found = max(found, now, key=len)
    return [child for _, child in sorted(found)]


def children(pid: int) -> list[int]:
    """The kernel may leave some out while others end."""
    try:
        return [int(word) for word in whole(f"/proc/{pid}/task/{pid}/children").split()]
    except (OSError, ValueError):
        return []


def ids(pid: int) -> Ids | None:
    """None when it is gone."""
    try:
        return read_ids(whole(f"/proc/{pid}/status"))
    except OSError:
        return None


def read_ids(status: bytes) -> Ids | None:
    """From the text of /proc/PID/status."""
    parent, numbers = PARENT.search(status), NUMBERS.search(status)
    if parent is None or numbers is None:
        return None
    return Ids(int(parent[1]), tuple(map(int, numbers[1].split())))
