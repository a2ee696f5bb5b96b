"""The directory of one machine, where a Firecracker finds what it needs by names that are the same in all of them."""

import os
import shutil
from pathlib import Path

from attacca.worker.runtime.microvm.disks import directory
from attacca.worker.runtime.microvm.machines import OpenFiles


class MachineRoom:
    """Below `place`; its monitor's own, and gone with it. Names lead to what it inherits."""

    def __init__(self, place: Path, user: int | None) -> None:
        """Blocking.

        Raises:
            OSError: it cannot be made.
        """
        self.path = directory(place)
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
        os.symlink(self.opened.file(to), self.path / name)

    def short(self, name: str) -> str:
        """The address of a socket in it, however long the way to it is."""
        return f"/proc/self/fd/{self._at}/{name}"

    def close(self) -> None:
        if self._at >= 0:
            self.opened.close()
            os.close(self._at)
            self._at = -1
            shutil.rmtree(self.path, ignore_errors=True)
