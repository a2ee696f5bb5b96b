"""Where one container lies while it is there: its bundle, its cgroups, and what the engine remembers of it."""

import contextlib
import functools
import glob
import os
import shutil
import signal
import time
from typing import Any

from attacca.worker.runtime.container.keeper import gvisor
from attacca.worker.runtime.process.zygote import linux

CGROUPS = "/sys/fs/cgroup"
TRIES, AGAIN_S = 200, 0.01  # to remove a cgroup


def hierarchies(mountinfo: str) -> dict[str, str]:
    """Where each hierarchy is mounted, by controller; version 2's only one is called the empty name."""
    found = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup2":
            found[""] = before.split(" ")[4]
        elif kind == "cgroup":
            point = before.split(" ")[4]
            for name in options.split(","):
                if name not in ("rw", "ro", "xattr", "clone_children"):
                    found.setdefault(name, point)
    return found


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


@functools.cache
def _points() -> dict[str, str]:
    return hierarchies(_read("/proc/self/mountinfo"))


def counted(text: str, word: str) -> int:
    """The number after a word at the beginning of a line."""
    for line in text.splitlines():
        name, _, number = line.partition(" ")
        if name == word and number.isdecimal():
            return int(number)
    return 0


class Berth:
    """`bundle` and `state` are directories, `group` a path in each hierarchy."""

    def __init__(self, bundle: str, group: str, state: str) -> None:
        self.bundle, self.group, self._state = bundle, group, state
        self.pid_file = f"{bundle}/pid"
        self._points = _points()
        self._is_mounted = False

    def __repr__(self) -> str:
        return f"<Berth {self.bundle}, {len(self._points)} hierarchies>"

    def make(self, spec: str, lower: str, files: dict[str, str]) -> None:
        """
        Raises:
            OSError: as `lay`, or there is no image at `lower`.
        """
        self.lay(lower, files)
        os.chdir(self.bundle)  # who looks at its mounts reads no path of the machine's
        options = "lowerdir=lower,upperdir=upper,workdir=work"
        linux.mount("overlay", "rootfs", "overlay", linux.MS_NODEV | linux.MS_NOSUID, options)
        os.chdir("/")
        self._is_mounted = True
        with open(f"{self.bundle}/config.json", "w") as file:
            file.write(spec)

    def lay(self, lower: str, files: dict[str, str]) -> None:
        """What is to be mounted. `files` lie over what the image has at these paths, and are seen in the container
        alone.

        Raises:
            OSError: what is to lie there cannot.
        """
        for name in ("upper", "work", "rootfs"):
            os.makedirs(f"{self.bundle}/{name}", 0o755)
        for path, text in files.items():
            at = f"{self.bundle}/upper{path}"
            os.makedirs(os.path.dirname(at), 0o755, exist_ok=True)
            with open(at, "w", encoding="latin-1") as file:
                file.write(text)
            os.chmod(at, 0o444)
        os.symlink(lower, f"{self.bundle}/lower")

    def enter(self, resources: dict[str, Any]) -> list[str]:
        """Its cgroups, for an engine that makes none: what one that is to be within writes its number to.

        Raises:
            OSError: as `gvisor.made_groups`.
        """
        return gvisor.made_groups(self._points, self.group, resources)

    def pid(self) -> int:
        """Of its first process; 0: there is none."""
        text = _read(self.pid_file)
        return int(text) if text.isdecimal() else 0

    def has_run_out(self) -> bool:
        """Whether something in it was killed for going over its memory."""
        if "memory" in self._points:
            return counted(_read(f"{self._points['memory']}{self.group}/memory.oom_control"), "oom_kill") > 0
        return counted(_read(f"{self._points.get('', CGROUPS)}{self.group}/memory.events"), "oom_kill") > 0

    def freeze(self, *, is_frozen: bool) -> None:
        with contextlib.suppress(OSError):
            if "freezer" in self._points:
                with open(f"{self._points['freezer']}{self.group}/freezer.state", "w") as file:
                    file.write("FROZEN" if is_frozen else "THAWED")
            else:
                with open(f"{self._points.get('', CGROUPS)}{self.group}/cgroup.freeze", "w") as file:
                    file.write("1" if is_frozen else "0")

    def is_removed(self) -> bool:
        """Remove what there still is of it; False while the kernel holds something of it."""
        if self._is_mounted:
            with contextlib.suppress(OSError):
                linux.detach(f"{self.bundle}/rootfs")
            self._is_mounted = False
        for path in (self.bundle, self._state):
            shutil.rmtree(path, ignore_errors=True)
        for path in glob.glob(f"{glob.escape(self._state)}_sandbox:*"):  # gVisor's
            with contextlib.suppress(OSError):
                os.unlink(path)
        groups = [f"{point}{self.group}" for point in dict.fromkeys(self._points.values())]
        for group in groups:
            _remove(group)
        return not any(map(os.path.exists, groups))


def slay(group: str) -> None:
    """Kill whatever lives in that cgroup, or below it. Blocking: the kernel may take a while."""
    points = list(dict.fromkeys(hierarchies(_read("/proc/self/mountinfo")).values()))
    for _ in range(TRIES):
        living: set[int] = set()
        for point in points:
            for at, _, names in os.walk(f"{point}/{group}"):
                if "freezer.state" in names:  # what is frozen does not die, in version 1
                    with contextlib.suppress(OSError), open(f"{at}/freezer.state", "w") as file:
                        file.write("THAWED")
                living.update(int(pid) for pid in _read(f"{at}/cgroup.procs").split())
        living.discard(0)  # of a namespace that we do not see
        if not living:
            return
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(AGAIN_S)


def sweep(group: str, home: str) -> None:
    """Remove what all of them lay in. Blocking: the kernel may take a while to let go of it."""
    groups = [f"{point}/{group}" for point in hierarchies(_read("/proc/self/mountinfo")).values()]
    for _ in range(TRIES):
        groups = [one for one in groups if os.path.exists(one)]
        if not groups:
            break
        for one in groups:
            _remove(one)
        time.sleep(AGAIN_S)
    shutil.rmtree(home, ignore_errors=True)


def _remove(group: str) -> None:
    """With those that the engine, or the container, has made in it."""
    with contextlib.suppress(OSError):
        os.rmdir(group)
        return
    with contextlib.suppress(OSError), os.scandir(group) as entries:
        for inner in [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]:
            _remove(inner)
    with contextlib.suppress(OSError):
        os.rmdir(group)
