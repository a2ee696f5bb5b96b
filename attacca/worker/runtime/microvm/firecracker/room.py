"""The directory of one machine, where a Firecracker finds what it needs by names that are the same in all of them."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

from attacca.worker.runtime.microvm.disks import MACHINE, directory
from attacca.worker.runtime.microvm.machines import OpenFiles, copy_sparsely

OWN: Final = "attacca"  # the beginning of the names that machines have with a jailer
MOUNTS: Final = Path("/proc/mounts")
FILES_MOST: Final = 256  # open ones, of a monitor


class MachineRoom:
    """Below `place`; its monitor's own, and gone with it. With a jailer it is that monitor's root, and files have names
    in it; without one, names lead to what it inherits."""

    def __init__(self, place: Path, user: int | None, jailed: Path | None = None) -> None:
        """`jailed` is the program that a jailer will start there. Blocking.

        Raises:
            OSError: it cannot be made.
        """
        self._whole, self._is_jailed = directory(place), jailed is not None
        self.name = self._whole.name.replace(MACHINE, f"{OWN}-")
        self.path = self._whole if jailed is None else self._whole / jailed.name / self.name / "root"
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.opened = OpenFiles()
        if user is not None:
            os.chown(self.path, user, user)
        self._at = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __repr__(self) -> str:
        return f"<MachineRoom {self.path}>"

    def lead(self, name: str, to: Path) -> None:
        """
        Raises:
            OSError: there is no such file.
        """
        if not self._is_jailed:
            os.symlink(self.opened.file(to), self.path / name)
            return
        try:
            os.link(to, self.path / name)
        except OSError:  # it lies on another file system
            with open(to, "rb") as source, open(self.path / name, "wb") as target:
                copy_sparsely(source.fileno(), target.fileno())
            (self.path / name).chmod(0o444)

    def jail(self, jailer: Path, program: Path, user: int, largest_mb: int) -> list[str]:
        """Its jailer's words, before those of its monitor; `largest_mb`: of a file that it writes."""
        words = [str(jailer), "--id", self.name, "--exec-file", str(program), "--uid", str(user), "--gid", str(user)]
        words += [
            "--chroot-base-dir",
            str(self._whole),
            "--parent-cgroup",
            self.name,
        ]  # there is none: it stays in ours
        words += ["--resource-limit", f"no-file={FILES_MOST}", "--resource-limit", f"fsize={largest_mb << 20}"]
        if " cgroup2 " in MOUNTS.read_text():
            words += ["--cgroup-version", "2"]
        return [*words, "--"]

    def short(self, name: str) -> str:
        """The address of a socket in it, however long the way to it is."""
        return f"/proc/self/fd/{self._at}/{name}"

    def close(self) -> None:
        if self._at >= 0:
            self.opened.close()
            os.close(self._at)
            self._at = -1
            shutil.rmtree(self._whole, ignore_errors=True)


def strays() -> list[int]:
    """Monitors that a jailer has started, whose server is gone, and which somebody has kept from ending with it.
    Blocking."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            told = path.read_bytes().decode(errors="replace").replace("--id=", "--id\0")
            owner = told.partition(f"--id\0{OWN}-")[2].partition("-")[0]
            if owner.isdecimal() and not Path("/proc", owner).exists():
                found.append(int(path.parent.name))
    return found


def clean() -> int:
    """End those; how many they were. Blocking."""
    found = strays()
    for pid in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, 9)
    return len(found)
