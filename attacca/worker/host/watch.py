"""What one sandbox holds, counted from outside where no cgroup counts it.

Most of a sandbox's memory is told by its processes. What no process has mapped is looked for where it can be: files in
its own tmpfs, memory files that are open, what waits in pipes and sockets. Pages of
read-only files are not counted: they are the machine's, which drops them when it needs the room.
"""

import contextlib
import functools
import os
import stat
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from attacca.worker.host import queues

TEMPORARY = ("tmp", "dev/shm")
MOST = 1024  # processes and threads, unless told otherwise
DESCRIPTORS = 4096  # of all processes of one sandbox: to look at each takes two microseconds
PIPE_KB = 64  # at most, see the filter of system calls
TEXT_B = 1 << 18  # of one file of /proc
MAPS_B = 1 << 20  # of all the maps of one sandbox: what lies beyond counts twice
WATCHED = (
    "Memory is watched, not enforced: no cgroup can be made, so what functions hold is looked at from time to time, "
    "and they can go over memory_mb meanwhile. `attacca doctor` says what to do."
)
STATUS = ("RssAnon", "RssShmem", "VmSwap", "VmPTE", "HugetlbPages", "Threads")
SHARES = ("Pss_Anon", "Pss_Shmem", "SwapPss")
Inode = tuple[int, int]  # with its device


class Own(NamedTuple):
    """What one process says that it holds, in kB, and its threads."""

    anonymous: int = 0
    shared: int = 0
    swapped: int = 0
    tables: int = 0
    huge: int = 0
    threads: int = 0


class Usage(NamedTuple):
    """What all processes of a sandbox hold together, in kB."""

    anonymous: int = 0
    shared: int = 0  # mapped; of what also counts as a file, only the rest
    swapped: int = 0
    tables: int = 0
    files: int = 0  # in tmpfs, and memory files that are open
    pipes: int = 0
    sockets: int = 0
    processes: int = 0  # and threads
    descriptors: int = 0

    @property
    def memory_kb(self) -> int:
        return sum(self[: self._fields.index("processes")])

    def __str__(self) -> str:
        """The parts, the largest first, for people."""
        names = self._fields[: self._fields.index("processes")]
        parts = sorted(zip(self, names, strict=False), key=lambda part: (-part[0], part[1]))
        return ", ".join(f"{size >> 10} MB {name}" for size, name in parts if size >> 10) or "less than 1 MB"


def no_group(info: Mapping[str, object]) -> str:
    """What people are told of a server that says this of itself, where functions are isolated but no cgroup is had."""
    is_watched = info["isolation"] != "none" and not str(info["memory_limits"]).startswith("cgroup")
    return WATCHED if is_watched else ""


def fields(text: str, names: Collection[str]) -> dict[str, int]:
    """The numbers that stand behind these names in a text of `name: number kB` lines."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name in names:
            found[name] = int(rest.split()[0])
    return found


def own(status: str) -> Own:
    """From /proc/PID/status. Shared pages count for each process that has them."""
    found = fields(status, STATUS)
    return Own(*(found.get(name, 0) for name in STATUS))


def own_share(of: Own, rollup: str) -> Own:
    """From /proc/PID/smaps_rollup: pages that several have count for each of them by its part."""
    found = fields(rollup, SHARES)
    anonymous, shared, swapped = (found.get(name, 0) for name in SHARES)
    return of._replace(anonymous=anonymous, shared=shared, swapped=swapped) if found else of


def mapped(maps: str) -> dict[Inode, str]:
    """Device and inode of every file in /proc/PID/maps, with its path."""
    found = {}
    for line in maps.splitlines():
        words = line.split(maxsplit=5)
        if len(words) == 6 and words[4] != "0":
            major, minor = (int(word, 16) for word in words[3].split(":"))
            found[os.makedev(major, minor), int(words[4])] = words[5]
    return found


class TooMuch(NamedTuple):
    """Why a sandbox has to end."""

    why: str
    is_memory: bool = False


class Limit(NamedTuple):
    """What one sandbox, or a template with those who mind it, may hold."""

    memory_kb: int
    processes: int  # and threads


def too_much(found: Usage, limit: Limit) -> TooMuch | None:
    if found.processes > limit.processes:
        return TooMuch(f"it had more than {limit.processes} processes and threads")
    if found.descriptors > DESCRIPTORS:
        return TooMuch(f"it had more than {DESCRIPTORS} open files, which is more than can be watched")
    if found.memory_kb > limit.memory_kb:
        return TooMuch(f"it went over its memory: {found}", is_memory=True)
    return None


def over(limits: Mapping[int, Limit]) -> dict[int, TooMuch]:
    """Of sandboxes and templates, told by their processes and with their limits: those that hold too much."""
    found = {}
    for pid, limit in limits.items():
        if (one := too_much(held(pid, limits.keys(), *limit), limit)) is not None:
            found[pid] = one
    return found


def held(pid: int, apart: Collection[int] = (), enough_kb: int = 0, most: int = MOST) -> Usage:
    """What a sandbox's process and all below it hold; nothing when it is gone. Those `apart`, and what is below them,
    are others'. Not many more than `most` processes, and than DESCRIPTORS open files, are looked at.

    Shared pages count for each process that has them, and what is mapped and open counts twice, unless that comes to
    more than `enough_kb`: then it is counted as it is, which is dear.
    """
    family = _family(pid, apart, most)
    spaces = _spaces(pid)
    opened = _open_files(family)
    found = Usage(
        files=sum(spaces.values()) + sum(opened.files.values()),
        pipes=opened.pipes * PIPE_KB,
        sockets=_queued_kb(pid, opened.sockets),
        processes=sum(one.threads for one in family.values()),
        descriptors=opened.descriptors,
    )
    rough = _together(found, family.values())
    if rough.memory_kb <= enough_kb:
        return rough
    shares = [_share(process, one) for process, one in family.items()]
    exact = _together(found, shares)
    return exact._replace(shared=max(exact.shared - _mapped_kb(family, spaces, opened.files), 0))


def _share(pid: int, before: Own) -> Own:
    """Of one that has ended since it was looked at, nothing: what it shared is counted with the others."""
    rollup = _text(f"/proc/{pid}/smaps_rollup")
    return own_share(before if rollup else own(_text(f"/proc/{pid}/status")), rollup)


def _together(found: Usage, owns: Iterable[Own]) -> Usage:
    total = [sum(column) for column in zip(Own(), *owns, strict=True)]
    anonymous, shared, swapped, tables, huge, _ = total
    return found._replace(anonymous=anonymous + huge, shared=shared, swapped=swapped, tables=tables)


def _text(path: str) -> str:
    with contextlib.suppress(OSError), open(path, errors="replace") as file:
        return file.read(TEXT_B)
    return ""


def _lines(path: str) -> str:
    """Without the last, which may not be whole."""
    return _text(path).rpartition("\n")[0]


def _family(pid: int, apart: Collection[int], most: int) -> dict[int, Own]:
    found: dict[int, Own] = {}
    waiting, count = [pid], 0
    while waiting and count <= most:
        one = waiting.pop()
        if one in found or (one in apart and one != pid) or not (status := _text(f"/proc/{one}/status")):
            continue
        found[one] = own(status)
        count += found[one].threads
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{one}/task"):
                waiting += map(int, _text(f"/proc/{one}/task/{task}/children").split())
    return found


def _spaces(pid: int) -> dict[int, int]:
    """What is in the tmpfs of this sandbox, by device; not in the machine's, which those see who are not isolated."""
    found = {}
    for name in TEMPORARY:
        with contextlib.suppress(OSError):
            device = os.stat(f"/proc/{pid}/root/{name}").st_dev
            if device != os.stat(f"/{name}").st_dev:
                space = os.statvfs(f"/proc/{pid}/root/{name}")
                found[device] = (space.f_blocks - space.f_bfree) * space.f_frsize >> 10
    return found


class Opened(NamedTuple):
    files: dict[Inode, int]  # memory files with their size
    pipes: int
    sockets: dict[int, queues.Where]  # by inode
    descriptors: int


def _open_files(family: Iterable[int]) -> Opened:
    files: dict[Inode, int] = {}
    sockets: dict[int, queues.Where] = {}
    pipes, count = set[int](), 0
    for pid in family:
        for number in _descriptors(pid)[: DESCRIPTORS + 1 - count]:
            count += 1
            with contextlib.suppress(OSError):
                seen = os.stat(f"/proc/{pid}/fd/{number}")
                if stat.S_ISFIFO(seen.st_mode):
                    pipes.add(seen.st_ino)
                elif stat.S_ISSOCK(seen.st_mode):
                    sockets[seen.st_ino] = queues.Where(pid, number)
                elif seen.st_dev == _memory_device():
                    files[seen.st_dev, seen.st_ino] = seen.st_blocks // 2
    return Opened(files, len(pipes), sockets, count)


def _descriptors(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(name) for name in os.listdir(f"/proc/{pid}/fd")]
    return []


@functools.cache
def _memory_device() -> int:
    """On which all files are that have no name: memfd's, and those of shared memory without one."""
    descriptor = os.memfd_create("attacca")
    try:
        return os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)


def _queued_kb(pid: int, sockets: Mapping[int, queues.Where]) -> int:
    """In a network of its own also in sockets that are closed, and in which something waits to be sent."""
    if not sockets:
        return 0
    network = f"/proc/{pid}/net"
    unix = queues.unix_inodes(_lines(f"{network}/unix"))
    size = queues.sent({inode: where for inode, where in sockets.items() if inode in unix})
    others, is_own = sockets.keys() - unix, _has_own_network(pid)
    if others or is_own:
        used = queues.used_tables(_text(f"{network}/sockstat") + _text(f"{network}/sockstat6"))
        size += sum(queues.queued(_lines(f"{network}/{table}"), None if is_own else others) for table in used)
    return size >> 10


def _has_own_network(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
    return False


def _mapped_kb(family: Iterable[int], spaces: Collection[int], files: Mapping[Inode, int]) -> int:
    """How much of what is mapped has been counted as a file already."""
    found: dict[Inode, int] = {}
    room = MAPS_B
    for pid in family:
        maps = _lines(f"/proc/{pid}/maps") if room > 0 else ""
        room -= len(maps)
        for inode, path in mapped(maps).items():
            if inode in files:
                found[inode] = files[inode]
            elif inode[0] in spaces and inode not in found:
                with contextlib.suppress(OSError):
                    seen = os.stat(f"/proc/{pid}/root{path}")
                    found[inode] = seen.st_blocks // 2 if (seen.st_dev, seen.st_ino) == inode else 0
    return sum(found.values())
