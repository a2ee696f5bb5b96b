"""What a runtime asks of whoever runs its machines: QEMU or Firecracker, one process for each machine.

boot or restore: prepare ──▶ begin ──▶ its streams are attached ──▶ it runs: `resumed`
save: it stands still ──▶ its memory and the rest are in files: `saved`, with what it has left
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Protocol

import msgspec

from attacca.worker.host.network import Namespace
from attacca.worker.runtime.microvm.needs import MachineNeeds


class DiskPlan(msgspec.Struct, frozen=True):
    serial: str
    path: Path


class MachineSize(msgspec.Struct, frozen=True):
    memory_mb: int
    cpus: int
    has_card: bool = False  # one for a network


class Ingredients(msgspec.Struct, frozen=True):
    """Of all machines here."""

    needs: MachineNeeds
    kernel: Path  # which everybody may read
    initramfs: Path
    root: Path
    khz: int
    processor: str  # whose a saved machine is; empty: any


class SavedMachine(msgspec.Struct, frozen=True):
    """What a machine has left: files that may be copied from."""

    memory: Path
    state: Path


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """How one machine is to begin."""

    common: Ingredients
    disks: tuple[DiskPlan, ...]  # besides the root
    size: MachineSize
    user: int | None  # whose its monitor is
    saved: SavedMachine | None  # None: it boots
    is_base: bool  # that was left by a machine without a function
    is_kept: bool  # it will be saved
    network: Namespace | None = None  # where its card's tap is, of one that has a card


class Left:
    """Files that a machine has left, open; `names` are removed when they are closed."""

    def __init__(self, memory: IO[bytes], state: IO[bytes], saved: SavedMachine, names: Iterable[Path] = ()) -> None:
        self.memory, self.state, self.saved, self._names = memory, state, saved, tuple(names)

    def __repr__(self) -> str:
        return f"<Left {self.saved.memory}, {'closed' if self.memory.closed else 'open'}>"

    @property
    def size_mb(self) -> int:
        """What its memory takes of the disk, rounded up."""
        return os.fstat(self.memory.fileno()).st_blocks * 512 // (1 << 20) + 1

    def keep(self, kept: SavedMachine) -> None:
        """Let them have names for good. Blocking."""
        for file in (self.memory, self.state):
            os.fsync(file.fileno())
        os.rename(self.saved.memory, kept.memory)
        os.rename(self.saved.state, kept.state)  # last: where it is, so is the memory

    def close(self) -> None:
        self.memory.close()
        self.state.close()
        for name in self._names:
            with contextlib.suppress(OSError):
                name.rmdir() if name.is_dir() else name.unlink()


class MachineMonitor(Protocol):
    """Of one machine. What it is told comes true later: its `Vm` says so, or ends."""

    async def prepare(self, start: Start) -> None:
        """What takes its time: files that are made and copied.

        Raises:
            AttaccaError, OSError: they cannot be.
        """

    async def begin(self) -> None:
        """
        Raises:
            AttaccaError, OSError: it cannot be started.
        """

    def save(self) -> None: ...

    def stop(self) -> None: ...

    def go_on(self) -> None: ...

    def close(self) -> None:
        """Its process is gone, or never was."""
