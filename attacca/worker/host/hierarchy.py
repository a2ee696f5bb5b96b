"""Where cgroups are mounted, where in them we are, how the kernel is told of them, and which are ours."""

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from attacca.worker.host.tables import whole

CONTROLLERS = ("memory", "cpu", "pids")
HOME = "attacca-home"  # the group below ours that we and whoever lives beside us move to
UNIFIED = ""  # the name of version 2's only hierarchy, as in /proc/self/cgroup


class Mounted(NamedTuple):
    """Two directories of one hierarchy: its top, as far as we can see it, and our own group."""

    top: str
    own: str

    def upwards(self) -> list[str]:
        """Our own group, what it lies in, and so on to the top: the limits of all of these hold for us."""
        found = [self.own]
        while found[-1] != self.top and found[-1] != "/":
            found.append(os.path.dirname(found[-1]))
        return found


def here() -> dict[str, Mounted]:
    """Where this process is, as `places` has it."""
    return places(Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text())


def write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def doors(groups: Iterable[str]) -> tuple[int, ...]:
    """See `Group.doors`: those of one group, by where it is in each hierarchy."""
    opened: list[int] = []
    try:
        for path in dict.fromkeys(groups):
            opened.append(os.open(f"{path}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC))  # noqa: PERF401 - each is to be closed, also if the next fails
    except OSError:
        for door in opened:
            os.close(door)
        raise
    return tuple(opened)


def try_to_write(path: str, text: str) -> None:
    """Where the kernel has no such file, or the group is gone already, there is nothing to be told."""
    with contextlib.suppress(OSError):
        write(path, text)


def places(cgroup: str, mountinfo: str) -> dict[str, Mounted]:
    """By controller of version 1, and by UNIFIED for version 2, from the texts of the two files of these names."""
    paths = _paths(cgroup)
    found: dict[str, Mounted] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        root, point = (_plain(word) for word in before.split(" ")[3:5])
        names = {"cgroup": options.split(","), "cgroup2": [UNIFIED]}.get(kind, [])
        for name in names:
            if name in paths and name not in found:
                found[name] = Mounted(point, _below(point, root, paths[name]))
    return {name: place for name, place in found.items() if name in (*CONTROLLERS, UNIFIED)}


def _paths(text: str) -> dict[str, str]:
    """Our path in each hierarchy."""
    paths = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


def _below(point: str, root: str, path: str) -> str:
    """Where `path` is seen when `root` of the same hierarchy is mounted at `point`; `point` when it is not seen."""
    whole = PurePosixPath(path)
    if ".." in whole.parts or not whole.is_relative_to(root):
        return point
    return str(PurePosixPath(point, whole.relative_to(root)))


def _plain(word: str) -> str:
    """Without the octal escapes for spaces and the like."""
    return word.encode().decode("unicode_escape") if "\\" in word else word


def parents(place: Mounted) -> list[str]:
    """Where this user may make groups: at the top, or in our own group, of which we may be in the inner one."""
    own = os.path.dirname(place.own) if os.path.basename(place.own) == HOME else place.own
    ours = _is_delegated(own)
    return [path for path in dict.fromkeys((own, place.top) if ours else (place.top, own)) if os.access(path, os.W_OK)]


def _is_delegated(group: str) -> bool:
    """Systemd marks what it leaves to those who live in it; everything else, the top too, it regards as its own."""
    marks = ("user.delegate", "trusted.delegate")
    for mark in marks:
        with contextlib.suppress(OSError):
            return os.getxattr(group, mark) == b"1"
    return False


def enable(group: str, controllers: Iterable[str]) -> None:
    """Let the groups inside have these controllers."""
    path = f"{group}/cgroup.subtree_control"
    enabled = Path(path).read_text().split()
    if missing := [f"+{controller}" for controller in controllers if controller not in enabled]:
        write(path, " ".join(missing))


def counter(path: str, word: str) -> int:
    """What a group counts under this word; 0 if it does not, or is gone."""
    with contextlib.suppress(OSError):
        for line in whole(path).decode().splitlines():
            if line.startswith(word + " "):
                return int(line.split()[1])
    return 0


def numbers(path: str) -> list[int]:
    """All that a file of a group lists; nothing when it is gone."""
    with contextlib.suppress(OSError):
        return [int(word) for word in whole(path).split()]
    return []


def remove_tree(path: str) -> bool:
    """Remove a group with all that are in it; False while something lives in one."""
    if _is_gone(path):
        return True
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for inner in [entry.path for entry in entries if entry.is_dir()]:
            remove_tree(inner)
    return _is_gone(path)


def _is_gone(directory: str) -> bool:
    """Remove a group; False while something lives in it."""
    try:
        os.rmdir(directory)
    except OSError:
        return not os.path.exists(directory)
    return True


def name_of_ours() -> str:
    """A new one, which `sweep` knows for this process's."""
    return f"attacca-{os.getpid()}-{secrets.token_hex(3)}"


def sweep() -> int:
    """Remove what a worker that no longer runs has left behind. Returns how many directories went."""
    removed = 0
    for parent in dict.fromkeys(path for place in here().values() for path in parents(place)):
        for entry in Path(parent).glob("attacca-*-*"):
            pid = entry.name.split("-")[1]
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                removed += remove_tree(str(entry))
    return removed
