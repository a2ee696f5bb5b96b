"""Memory, cpu and process limits by cgroup: version 2, or version 1 where that is what the machine has."""

import contextlib
import errno
import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from attacca.worker.host.hierarchy import (
    CONTROLLERS,
    HOME,
    UNIFIED,
    Mounted,
    counter,
    doors,
    enable,
    here,
    name_of_ours,
    numbers,
    parents,
    remove_tree,
    try_to_write,
    write,
)
from attacca.worker.host.processors import PERIOD_US, quota_us, shares, weight

NEEDED = {"memory", "pids"}  # without `cpu` the shares are equal and `cpus` bounds nothing
INSIDE = "0"  # the group below a divided one in which those live who lived in it before; in version 2 from the start
MOVES = 10  # while whom we move forks
KEPT = 32  # groups for others to come: to make and to remove one takes the kernel half a millisecond, on any processor
LEFT_B = 2 << 20  # of memory in one of these: pages of files, and what the kernel has taken in advance


class Group(Protocol):
    """The limits of one sandbox, or of a template and all that are forked from it."""

    def limit(self, memory_mb: int, processes: int, cpus: float | None) -> None: ...
    def add(self, pid: int) -> None: ...
    def doors(self) -> tuple[int, ...]:
        """New descriptors: who writes 0 to each of them lives in it, whoever that is."""

    def unite(self) -> None:
        """Only the sandbox and what it forks live in it from now on: for want of memory they end together."""

    def divide(self, living: Iterable[int], memory_mb: int, processes: int, cpus: float | None) -> None:
        """From now on it is for several, each in an `inner` group. These are all who live in it itself, and they keep
        these limits."""

    def resize(self, memory_mb: int, processes: int, cpus: float) -> None:
        """What all that live in a divided one may have together, and as how many processors' worth they count."""

    def inner(self, name: str) -> "Group":
        """A new group inside a divided one, without limits of its own."""

    def has_run_out(self) -> bool:
        """Whether something in it was killed for going over its memory."""

    def processes(self) -> list[int]:
        """Who lives in it, groups inside it apart."""

    def used(self) -> tuple[int, int | None]:
        """Bytes that it holds, with pages of files that it read; and microseconds of processors, where that is counted
        for it (None: nowhere)."""

    def is_removed(self) -> bool:
        """Remove it; False while something still lives in it."""


class Groups(Protocol):
    """Where this worker's groups are made."""

    version: str
    controllers: tuple[str, ...]

    def roots(self) -> list[str]:
        """Directories that hold everything made here; whoever tidies up removes them with what is in them."""

    def bound(self, memory_mb: int) -> None:
        """What all of them together may hold. Pages that several share may outlive the group that they counted in."""

    def weigh(self, cpus: float) -> None:
        """As how many processors' worth all of them together count beside what else runs on the machine."""

    def make(self) -> Group:
        """A group that nobody lived in, or of whom nothing is left, with a name of its own. It may have limits, which
        those that it is given take the place of. For any thread."""

    def keep(self, group: Group) -> bool:
        """For others to come, instead of removing it; False if it cannot be."""

    def close(self) -> None: ...


def _with_slack(memory_mb: int) -> int:
    """Nobody who keeps within their own limit must meet the common one; some is for what minds the sandboxes."""
    return memory_mb + memory_mb // 8 + 128


class GroupV1:
    """`directories` by controller have the limits. Who lives in one that is divided lives in the one called INSIDE
    below each."""

    def __init__(self, directories: dict[str, str]) -> None:
        self._in = self._home = directories
        self._limits: tuple[int, int, float | None] | None = None  # as it has them, if it has any
        self._had_run_out = False
        self._is_plain = True  # it is whole, and nothing was done to it but to limit it
        for path in dict.fromkeys(directories.values()):
            os.mkdir(path)

    def __repr__(self) -> str:
        return f"<GroupV1 {self._in['memory']}>"

    def limit(self, memory_mb: int, processes: int, cpus: float | None) -> None:
        limits = memory_mb, processes, cpus
        if limits == self._limits:
            return
        if self._limits is not None:
            try_to_write(f"{self._in['memory']}/memory.memsw.limit_in_bytes", str(memory_mb << 20))  # see `resize`
        self._limits = None
        self._limit(self._in, memory_mb, processes, cpus)
        self._limits = limits

    def _limit(self, at: dict[str, str], memory_mb: int, processes: int, cpus: float | None) -> None:
        size = str(memory_mb << 20)
        write(f"{at['memory']}/memory.limit_in_bytes", size)
        try_to_write(f"{at['memory']}/memory.memsw.limit_in_bytes", size)  # only where swap is accounted
        write(f"{at['pids']}/pids.max", str(processes))
        if cpus is not None and "cpu" in at:
            write(f"{at['cpu']}/cpu.cfs_quota_us", str(quota_us(cpus)))
            write(f"{at['cpu']}/cpu.shares", str(shares(cpus)))

    def add(self, pid: int) -> None:
        for path in self._home.values():
            write(f"{path}/cgroup.procs", str(pid))

    def doors(self) -> tuple[int, ...]:
        return doors(self._home.values())

    def unite(self) -> None:
        """Version 1 kills one process at a time."""

    def divide(self, living: Iterable[int], memory_mb: int, processes: int, cpus: float | None) -> None:
        self._is_plain = False
        self._home = {controller: f"{path}/{INSIDE}" for controller, path in self._in.items()}
        for path in dict.fromkeys(self._home.values()):
            os.mkdir(path)
        self._limit(self._home, memory_mb, processes, cpus)
        for pid in living:
            self.add(pid)
        if "cpu" in self._in:
            write(f"{self._in['cpu']}/cpu.cfs_quota_us", "-1")  # that was for one

    def resize(self, memory_mb: int, processes: int, cpus: float) -> None:
        self._is_plain = False
        memory, both = (f"{self._in['memory']}/memory.{name}limit_in_bytes" for name in ("", "memsw."))
        for path in (both, memory, both):  # the second is never below the first, growing or shrinking
            try_to_write(path, str(memory_mb << 20))  # or it holds more than that, and shrinks later
        try_to_write(f"{self._in['pids']}/pids.max", str(processes))
        if "cpu" in self._in:
            try_to_write(f"{self._in['cpu']}/cpu.shares", str(shares(cpus)))

    def inner(self, name: str) -> "GroupV1":
        self._is_plain = False
        return GroupV1({controller: f"{path}/{name}" for controller, path in self._in.items()})

    def has_run_out(self) -> bool:
        self._had_run_out = counter(f"{self._home['memory']}/memory.oom_control", "oom_kill") > 0
        return self._had_run_out

    def is_as_new(self, roots: dict[str, str]) -> bool:
        """It is one of those below these, nobody lives in it, and what is left of those who did is next to nothing."""
        is_plain = self._is_plain and (self._limits is None or self._limits[2] is None)
        if not is_plain or self._had_run_out or os.path.dirname(self._in["memory"]) != roots["memory"]:
            return False
        living, held = f"{self._in['pids']}/pids.current", f"{self._in['memory']}/memory.usage_in_bytes"
        return numbers(living) == [0] and max(numbers(held), default=LEFT_B + 1) <= LEFT_B

    def processes(self) -> list[int]:
        places = dict.fromkeys((self._home["pids"], self._in["pids"]))  # of a divided one, whoever was born meanwhile
        return [pid for path in places for pid in numbers(f"{path}/cgroup.procs")]

    def used(self) -> tuple[int, int | None]:
        return sum(numbers(f"{self._in['memory']}/memory.usage_in_bytes")), None

    def is_removed(self) -> bool:
        gone = [remove_tree(path) for path in self._in.values()]
        if any(gone):  # who is just leaving it has left some of the hierarchies, and not yet others
            self._is_plain = False
        return all(gone)


class GroupV2:
    """`directory` has the limits, and who lives in it lives in the one called `home` below it, so that it can be
    divided: a group that shares out what it has can hold no processes."""

    def __init__(self, directory: str, controllers: tuple[str, ...], home: str = "", above: str = "") -> None:
        self._in, self._controllers, self._above = directory, controllers, above
        self._home = f"{directory}/{home}" if home else directory
        for path in dict.fromkeys((directory, self._home)):
            os.mkdir(path)

    def __repr__(self) -> str:
        return f"<GroupV2 {self._in}>"

    def limit(self, memory_mb: int, processes: int, cpus: float | None) -> None:
        self._limit(self._in, memory_mb, processes, cpus)

    def _limit(self, at: str, memory_mb: int, processes: int, cpus: float | None) -> None:
        write(f"{at}/memory.max", str(memory_mb << 20))
        try_to_write(f"{at}/memory.swap.max", "0")  # only where there is swap
        write(f"{at}/pids.max", str(processes))
        if cpus is not None and "cpu" in self._controllers:
            write(f"{at}/cpu.max", f"{quota_us(cpus)} {PERIOD_US}")
            write(f"{at}/cpu.weight", str(weight(cpus)))

    def add(self, pid: int) -> None:
        write(f"{self._home}/cgroup.procs", str(pid))

    def doors(self) -> tuple[int, ...]:
        return doors([self._home])

    def unite(self) -> None:
        self._oom_group("1")

    def _oom_group(self, value: str) -> None:
        try_to_write(f"{self._in}/memory.oom.group", value)  # it is gone already

    def divide(self, living: Iterable[int], memory_mb: int, processes: int, cpus: float | None) -> None:
        """They live where they are to be already."""
        enable(self._in, self._controllers)
        self._limit(self._home, memory_mb, processes, cpus)
        if "cpu" in self._controllers:
            write(f"{self._in}/cpu.max", f"max {PERIOD_US}")  # that was for one
        self._oom_group("0")

    def resize(self, memory_mb: int, processes: int, cpus: float) -> None:
        self._oom_group("0")  # whoever left it last may have united it since it was divided
        with contextlib.suppress(OSError):  # it is gone already
            write(f"{self._in}/memory.max", str(memory_mb << 20))
            write(f"{self._in}/pids.max", str(processes))
            if "cpu" in self._controllers:
                write(f"{self._in}/cpu.weight", str(weight(cpus)))

    def inner(self, name: str) -> "GroupV2":
        return GroupV2(f"{self._in}/{name}", self._controllers, above=self._in)

    def has_run_out(self) -> bool:
        """A kill for the sake of the whole machine is no `oom` of this group, nor of what it was divided from."""
        events = f"{self._in}/memory.events"
        if counter(events, "oom_kill") == 0:
            return False
        return counter(events, "oom") > 0 or (bool(self._above) and counter(f"{self._above}/memory.events", "oom") > 0)

    def processes(self) -> list[int]:
        return numbers(f"{self._home}/cgroup.procs")

    def used(self) -> tuple[int, int | None]:
        return sum(numbers(f"{self._in}/memory.current")), counter(f"{self._in}/cpu.stat", "usage_usec")

    def is_removed(self) -> bool:
        return remove_tree(self._in)


class GroupsV1:
    version = "cgroup v1"

    def __init__(self, parents: dict[str, str], name: str) -> None:
        self._count = itertools.count(1)
        self.controllers = tuple(controller for controller in CONTROLLERS if controller in parents)
        self._roots = {controller: f"{path}/{name}" for controller, path in parents.items()}
        self._kept: list[GroupV1] = []
        try:
            for path in dict.fromkeys(self._roots.values()):
                os.mkdir(path)
        except OSError:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<GroupsV1 {len(self._kept)} kept>"

    def roots(self) -> list[str]:
        return list(self._roots.values())

    def bound(self, memory_mb: int) -> None:
        try_to_write(f"{self._roots['memory']}/memory.limit_in_bytes", str(_with_slack(memory_mb) << 20))

    def weigh(self, cpus: float) -> None:
        if "cpu" in self._roots:
            try_to_write(f"{self._roots['cpu']}/cpu.shares", str(shares(cpus)))

    def make(self) -> GroupV1:
        with contextlib.suppress(IndexError):
            return self._kept.pop()
        name = next(self._count)
        return GroupV1({controller: f"{path}/{name}" for controller, path in self._roots.items()})

    def close(self) -> None:
        for path in self._roots.values():
            remove_tree(path)

    def keep(self, group: Group) -> bool:
        if not isinstance(group, GroupV1) or len(self._kept) >= KEPT or not group.is_as_new(self._roots):
            return False
        self._kept.append(group)
        return True


class GroupsV2:
    version = "cgroup v2"

    def __init__(self, parent: str, name: str, controllers: tuple[str, ...]) -> None:
        self._count = itertools.count(1)
        self.controllers = controllers
        self._root = f"{parent}/{name}"
        os.mkdir(self._root)
        try:
            enable(self._root, controllers)
        except OSError:
            os.rmdir(self._root)
            raise

    def roots(self) -> list[str]:
        return [self._root]

    def bound(self, memory_mb: int) -> None:
        try_to_write(f"{self._root}/memory.max", str(_with_slack(memory_mb) << 20))

    def weigh(self, cpus: float) -> None:
        if "cpu" in self.controllers:
            try_to_write(f"{self._root}/cpu.weight", str(weight(cpus)))

    def make(self) -> GroupV2:
        return GroupV2(f"{self._root}/{next(self._count)}", self.controllers, INSIDE)

    def keep(self, group: Group) -> bool:
        """Such a one counts all that was ever computed in it."""
        return False

    def close(self) -> None:
        remove_tree(self._root)


def open_groups() -> Groups | None:
    """A place for this worker's groups, or None where this user can have none."""
    name = name_of_ours()
    found = here()
    if UNIFIED in found and (groups := _open_v2(found[UNIFIED], name)) is not None:
        return groups
    return _open_v1({controller: place for controller, place in found.items() if controller != UNIFIED}, name)


def _open_v1(found: dict[str, Mounted], name: str) -> GroupsV1 | None:
    choices = {controller: parents(place) for controller, place in found.items()}
    choices = {controller: paths for controller, paths in choices.items() if paths}
    if not set(choices) >= NEEDED:
        return None
    for place in (0, -1):
        with contextlib.suppress(OSError):
            return GroupsV1({controller: paths[place] for controller, paths in choices.items()}, name)
    return None


def _open_v2(place: Mounted, name: str) -> GroupsV2 | None:
    for parent in parents(place):
        with contextlib.suppress(OSError):
            offered = Path(parent, "cgroup.controllers").read_text().split()
            controllers = tuple(controller for controller in CONTROLLERS if controller in offered)
            if not set(controllers) >= NEEDED:
                continue
            _divide(parent, controllers, is_ours=place.own in (parent, f"{parent}/{HOME}"))
            return GroupsV2(parent, name, controllers)
    return None


def _divide(group: str, controllers: Iterable[str], *, is_ours: bool) -> None:
    """A group other than the machine's topmost can hold processes or divide what it may use, but not both (EBUSY)."""
    for _ in range(MOVES if is_ours else 1):
        try:
            enable(group, controllers)
            return
        except OSError as error:
            if not is_ours or error.errno != errno.EBUSY:
                raise
            _leave(group)
    raise OSError(errno.EBUSY, "processes in it multiply faster than they can be moved", group)


def _leave(group: str) -> None:
    """Move everybody who lives directly in our group one down."""
    home = f"{group}/{HOME}"
    with contextlib.suppress(FileExistsError):
        os.mkdir(home)
    for pid in Path(group, "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            write(f"{home}/cgroup.procs", pid)
