"""Memory, cpu and process limits by cgroup: version 2, or version 1 where that is what the machine has."""

import contextlib
import itertools
import os
import secrets
from pathlib import Path
from typing import Protocol

CONTROLLERS = ("memory", "cpu", "pids")
CPU_PERIOD_US = 100_000


class Group(Protocol):
    """The limits of one sandbox."""

    def limit(self, memory_mb: int, processes: int, cpus: float | None) -> None: ...
    def add(self, pid: int) -> None: ...
    def oom_kills(self) -> int:
        """How many processes of the group were killed for going over its memory."""

    def is_removed(self) -> bool:
        """Remove it; False while something still lives in it."""


class Groups(Protocol):
    """Where this worker's groups are made."""

    version: str

    def roots(self) -> list[str]:
        """Directories that hold everything made here; whoever tidies up removes them with what is in them."""

    def make(self) -> Group:
        """A new group without limits, with a name of its own."""

    def close(self) -> None: ...


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _counter(path: str, word: str) -> int:
    with contextlib.suppress(OSError), open(path) as file:
        for line in file:
            if line.startswith(word + " "):
                return int(line.split()[1])
    return 0


class GroupV1:
    def __init__(self, directories: dict[str, str]) -> None:
        self._in = directories
        for path in directories.values():
            os.mkdir(path)

    def limit(self, memory_mb: int, processes: int, cpus: float | None) -> None:
        size = str(memory_mb << 20)
        _write(f"{self._in['memory']}/memory.limit_in_bytes", size)
        with contextlib.suppress(OSError):  # only where swap is accounted
            _write(f"{self._in['memory']}/memory.memsw.limit_in_bytes", size)
        _write(f"{self._in['pids']}/pids.max", str(processes))
        if cpus is not None:
            _write(f"{self._in['cpu']}/cpu.cfs_quota_us", str(int(cpus * CPU_PERIOD_US)))

    def add(self, pid: int) -> None:
        for path in self._in.values():
            _write(f"{path}/cgroup.procs", str(pid))

    def oom_kills(self) -> int:
        return _counter(f"{self._in['memory']}/memory.oom_control", "oom_kill")

    def is_removed(self) -> bool:
        for path in self._in.values():
            try:
                os.rmdir(path)
            except FileNotFoundError:
                continue
            except OSError:
                return False
        return True


class GroupV2:
    def __init__(self, directory: str) -> None:
        self._in = directory
        os.mkdir(directory)

    def limit(self, memory_mb: int, processes: int, cpus: float | None) -> None:
        _write(f"{self._in}/memory.max", str(memory_mb << 20))
        with contextlib.suppress(OSError):  # only where there is swap
            _write(f"{self._in}/memory.swap.max", "0")
        _write(f"{self._in}/memory.oom.group", "1")
        _write(f"{self._in}/pids.max", str(processes))
        if cpus is not None:
            _write(f"{self._in}/cpu.max", f"{int(cpus * CPU_PERIOD_US)} {CPU_PERIOD_US}")

    def add(self, pid: int) -> None:
        _write(f"{self._in}/cgroup.procs", str(pid))

    def oom_kills(self) -> int:
        return _counter(f"{self._in}/memory.events", "oom_kill")

    def is_removed(self) -> bool:
        try:
            os.rmdir(self._in)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


def _remove_tree(path: str) -> None:
    with contextlib.suppress(OSError):
        for entry in os.scandir(path):
            if entry.is_dir():
                os.rmdir(entry.path)
        os.rmdir(path)


class GroupsV1:
    version = "cgroup v1"

    def __init__(self, mounts: dict[str, str], name: str) -> None:
        self._count = itertools.count(1)
        self._roots = {controller: f"{path}/{name}" for controller, path in mounts.items()}
        for path in self._roots.values():
            os.mkdir(path)

    def roots(self) -> list[str]:
        return list(self._roots.values())

    def make(self) -> GroupV1:
        name = next(self._count)
        return GroupV1({controller: f"{path}/{name}" for controller, path in self._roots.items()})

    def close(self) -> None:
        for path in self._roots.values():
            _remove_tree(path)


class GroupsV2:
    version = "cgroup v2"

    def __init__(self, parent: str, name: str) -> None:
        self._count = itertools.count(1)
        self._root = f"{parent}/{name}"
        os.mkdir(self._root)
        try:
            _write(f"{self._root}/cgroup.subtree_control", " ".join(f"+{c}" for c in CONTROLLERS))
        except OSError:
            os.rmdir(self._root)
            raise

    def roots(self) -> list[str]:
        return [self._root]

    def make(self) -> GroupV2:
        return GroupV2(f"{self._root}/{next(self._count)}")

    def close(self) -> None:
        _remove_tree(self._root)


def _own_paths(text: str) -> dict[str, str]:
    """From /proc/self/cgroup: controller (or "" for version 2) to our path in its hierarchy."""
    paths: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


def _mounts(text: str) -> tuple[dict[str, str], str | None]:
    """From /proc/self/mounts: where each version-1 controller is mounted, and where version 2 is."""
    one: dict[str, str] = {}
    two: str | None = None
    for line in text.splitlines():
        _, point, kind, options, *_ = line.split(" ")
        if kind == "cgroup2" and two is None:
            two = point
        elif kind == "cgroup":
            for option in options.split(","):
                if option in CONTROLLERS:
                    one.setdefault(option, point)
    return one, two


def _candidates(point: str, own: str) -> list[str]:
    """Our own group first, then the top of the hierarchy: inside a container only one of them is what it seems."""
    inner = os.path.normpath(point + own)
    return [path for path in dict.fromkeys((point, inner)) if os.access(path, os.W_OK)]


def _open_v2(point: str, own: str, name: str) -> GroupsV2 | None:
    for parent in _candidates(point, own):
        with contextlib.suppress(OSError):
            offered = Path(parent, "cgroup.controllers").read_text().split()
            if not set(CONTROLLERS) <= set(offered):
                continue
            enabled = Path(parent, "cgroup.subtree_control").read_text().split()
            missing = [f"+{c}" for c in CONTROLLERS if c not in enabled]
            if missing:
                _write(f"{parent}/cgroup.subtree_control", " ".join(missing))
            return GroupsV2(parent, name)
    return None


def _open_v1(points: dict[str, str], own: dict[str, str], name: str) -> GroupsV1 | None:
    if set(points) != set(CONTROLLERS):
        return None
    for place in (0, -1):
        choices = {c: _candidates(points[c], own.get(c, "/")) for c in CONTROLLERS}
        if all(choices.values()):
            with contextlib.suppress(OSError):
                return GroupsV1({c: paths[place] for c, paths in choices.items()}, name)
    return None


def open_groups() -> Groups | None:
    """A place for this worker's groups, or None where this user can have none."""
    name = f"attacca-{os.getpid()}-{secrets.token_hex(3)}"
    own = _own_paths(Path("/proc/self/cgroup").read_text())
    one, two = _mounts(Path("/proc/self/mounts").read_text())
    if two is not None and (groups := _open_v2(two, own.get("", "/"), name)) is not None:
        return groups
    return _open_v1(one, own, name)


def sweep() -> int:
    """Remove what a worker that no longer runs has left behind. Returns how many directories went."""
    one, two = _mounts(Path("/proc/self/mounts").read_text())
    own = _own_paths(Path("/proc/self/cgroup").read_text())
    removed = 0
    for point, path in [(two, own.get("", "/")), *((p, own.get(c, "/")) for c, p in one.items())]:
        for parent in _candidates(point, path) if point else []:
            for entry in Path(parent).glob("attacca-*-*"):
                pid = entry.name.split("-")[1]
                if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                    _remove_tree(str(entry))
                    removed += not entry.exists()
    return removed
