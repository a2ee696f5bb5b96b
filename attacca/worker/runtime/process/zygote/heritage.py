"""What a template's code has made besides memory, and what a fork makes of it.

Memory is copied by a fork; the rest is shared, or is not there. A sandbox must not be able to tell that it was forked:
so what can be had again is (a file opened for reading gets an offset of its own, what the import wrote to /tmp is
copied), and what cannot makes the template unfit to be forked from. Then its sandboxes start cold, which is always
right.
"""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from typing import NamedTuple

ROOMS = ("/tmp", "/dev/shm")  # what every sandbox has for itself
COPIED_MB, COPIED_FILES = 16, 512  # at most, of what the import left in them
LAST_S, LOOK_S = 0.1, 0.002  # a thread that was waited for may be about to end
MAYBE_NAMED = {  # what an import may have opened that has no name, by what /proc calls it
    "anon_inode:[eventpoll]": "an event loop",
    "anon_inode:[eventfd]": "an event loop or a queue between threads",
    "anon_inode:[io_uring]": "an event loop",
    "anon_inode:[timerfd]": "a timer",
    "anon_inode:inotify": "a watch on files",
    "anon_inode:[signalfd]": "a queue of signals",
    "anon_inode:[pidfd]": "a handle on a process",
}
CHARACTERS = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")  # have no offset
Entry = tuple[str, os.stat_result]  # its path below the room


class Heritage(NamedTuple):
    """What each sandbox has to have for itself before it begins."""

    descriptors: tuple[tuple[int, int], ...]  # of files, and where each is
    rooms: tuple[tuple[str, int], ...]  # in which the import left something, and a descriptor of each
    directory: str  # the working one


NOTHING = Heritage((), (), "")


class Unforkable(Exception):
    """What was made at import that no fork would have, or that all would share."""


def descriptors() -> set[int]:
    found = set(map(int, os.listdir("/proc/self/fd")))
    return {one for one in found if _is_open(one)}  # that of the listing itself is gone


def _is_open(descriptor: int) -> bool:
    try:
        fcntl.fcntl(descriptor, fcntl.F_GETFD)
    except OSError:
        return False
    return True


def take_stock(known: set[int], *, isolate: bool, renews: bool) -> Heritage:
    """Look at what the import has made. `known` are descriptors that it has not opened; `renews`: the code itself says
    what it makes anew after a fork, so its sockets and pipes are its own affair.

    Raises:
        Unforkable: there is something that a fork would not have.
    """
    _look_for_threads()
    _look_for_children()
    _look_for_shared_memory()
    files = tuple(sorted(_look_at(one, renews=renews) for one in descriptors() - known))
    rooms = tuple(room for room in ROOMS if isolate and os.path.isdir(room) and os.listdir(room))
    for room in rooms:
        _look_into(room)
    opened = tuple((room, os.open(room, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) for room in rooms)
    return Heritage(tuple(one for one in files if one[1] >= 0), opened, os.getcwd())


def come_into(heritage: Heritage) -> None:
    """In a new sandbox, before any of its code runs."""
    for room, source in heritage.rooms:
        for path, found in _walk(source):
            _copy(source, path, found, room)
        os.close(source)
    for descriptor, offset in heritage.descriptors:
        _reopen(descriptor, offset)
    if heritage.directory:
        with contextlib.suppress(OSError):  # it is where no place has anything
            os.chdir(heritage.directory)


def _look_for_threads() -> None:
    end = time.monotonic() + LAST_S
    while (count := len(os.listdir("/proc/self/task")) - 1) and time.monotonic() < end:
        time.sleep(LOOK_S)
    if count:
        raise Unforkable(f"started {count} thread{'s' * (count > 1)}")


def _look_for_children() -> None:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        pids = file.read().split()
    running = [pid for pid in pids if _state(pid) not in ("", "Z")]
    if running:
        raise Unforkable(f"started {len(running)} process{'es' * (len(running) > 1)}")


def _state(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def _look_for_shared_memory() -> None:
    """Locks and values of multiprocessing live there, and files that are mapped for writing."""
    with open("/proc/self/maps") as file:
        for line in file:
            words = line.split(None, 5)
            if words[1][1] == "w" and words[1][3] == "s":
                raise Unforkable(f"made memory for several processes to share ({_short(words[5:])})")


def _short(words: list[str]) -> str:
    return words[0].strip()[:100] if words else "without a name"


def _look_at(descriptor: int, *, renews: bool) -> tuple[int, int]:
    """The descriptor and its offset, or -1 where it has none.

    Raises:
        Unforkable: it would be shared.
    """
    name, mode = os.readlink(f"/proc/self/fd/{descriptor}"), os.fstat(descriptor).st_mode
    access = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    if access & os.O_PATH or name in CHARACTERS:
        return descriptor, -1
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        if access & os.O_ACCMODE != os.O_RDONLY:
            raise Unforkable(f"opened {name[:200]} for writing")
        try:
            os.close(os.open(f"/proc/self/fd/{descriptor}", access | os.O_CLOEXEC))
            return descriptor, os.lseek(descriptor, 0, os.SEEK_CUR)
        except OSError:
            raise Unforkable(f"opened {name[:200]}, which cannot be opened again") from None
    if renews:
        return descriptor, -1
    what = "a socket" if stat.S_ISSOCK(mode) else "a pipe" if stat.S_ISFIFO(mode) else name[:200]
    raise Unforkable(f"opened {MAYBE_NAMED.get(name, what)}")


def _reopen(descriptor: int, offset: int) -> None:
    """A description of its own, with the same flags."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    inheritable = os.get_inheritable(descriptor)
    new = os.open(f"/proc/self/fd/{descriptor}", flags | os.O_CLOEXEC)
    os.lseek(new, offset, os.SEEK_SET)
    os.dup2(new, descriptor, inheritable=inheritable)
    os.close(new)


def _look_into(room: str) -> None:
    """
    Raises:
        Unforkable: it is too much to be copied for each sandbox, or nothing that can be.
    """
    size = count = 0
    top = os.open(room, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path, found in _walk(top):
            count, size = count + 1, size + found.st_size
            kind = stat.S_IFMT(found.st_mode)
            if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK) or not found.st_mode & stat.S_IRUSR:
                raise Unforkable(f"made {room}/{path[:200]}, which cannot be copied")
            if size > COPIED_MB << 20 or count > COPIED_FILES:
                raise Unforkable(f"left more than {COPIED_MB} MB or {COPIED_FILES} files in {room}")
    finally:
        os.close(top)


def _walk(top: int, below: str = "") -> Iterator[Entry]:
    """All that is in a directory, each directory before what is in it."""
    inner = os.open(below or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
    try:
        for name in sorted(os.listdir(inner)):
            found = os.stat(name, dir_fd=inner, follow_symlinks=False)
            path = f"{below}/{name}" if below else name
            yield path, found
            if stat.S_ISDIR(found.st_mode):
                yield from _walk(top, path)
    finally:
        os.close(inner)


def _copy(source: int, path: str, found: os.stat_result, room: str) -> None:
    target, times = f"{room}/{path}", (found.st_atime_ns, found.st_mtime_ns)
    if stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(path, dir_fd=source), target)
        return
    if stat.S_ISDIR(found.st_mode):
        os.mkdir(target)
        os.chmod(target, stat.S_IMODE(found.st_mode) | stat.S_IRWXU)  # what is in it comes next
        return
    reader = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=source)
    writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        while os.sendfile(writer, reader, None, 1 << 20):
            pass
    finally:
        os.close(reader)
        os.close(writer)
    os.chmod(target, stat.S_IMODE(found.st_mode))
    os.utime(target, ns=times)
