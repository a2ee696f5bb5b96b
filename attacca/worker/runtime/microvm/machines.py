"""What every micro-VM of a worker is made from: a kernel, its first files, disks, and files to be memory."""

import asyncio
import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final, Self

from attacca.images import host_python
from attacca.model.function import MicroVm
from attacca.worker.host.cgroups import Group
from attacca.worker.runtime.code_store import CodeStore
from attacca.worker.runtime.microvm import initramfs, needs
from attacca.worker.runtime.microvm.disks import BLOCK, INIT, UNFINISHED, Disks
from attacca.worker.runtime.microvm.inside.words import BUNDLE, CODE, VSOCK
from attacca.worker.runtime.microvm.kernel_image import unpacked
from attacca.worker.runtime.microvm.monitor import DiskPlan, Ingredients
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.process.common import Common

MONITOR_MB: Final = 96  # besides the machine's memory: itself, and what is emulated once it is translated
MONITOR_TASKS: Final = 64
CPUINFO: Final = Path("/proc/cpuinfo")
EMPTY: Final = "empty"  # the disk of a bundle that is not there
ROOM: Final = "room"  # that of whatever will come
LARGEST: Final = 1 << 36  # bytes of a disk


class Machines:
    """Makes what is common once: when the first is wanted, or ahead of that where an earlier server had some."""

    def __init__(self, store: CodeStore, options: MicroVmOptions, place: Path) -> None:
        self._options, self.place = options, place
        self._disks = Disks(place, store.code, store.bundles)
        self._making: asyncio.Task[Ingredients] | None = None

    def __repr__(self) -> str:
        state = "nothing made" if self._making is None else "made" if self._making.done() else "being made"
        return f"<Machines {state}, {self._disks}>"

    async def open(self) -> None:
        """What is left of machines whose server is gone goes."""
        await asyncio.to_thread(self._disks.sweep_machines)
        if await asyncio.to_thread(self._disks.are_there):
            self._begin().add_done_callback(asyncio.Task.exception)  # who wants one is told

    async def common(self) -> Ingredients:
        """
        Raises:
            IsolationMissing: this machine cannot have one.
            StartFailed, BuildFailed, OSError: something could not be made.
        """
        try:
            return await asyncio.shield(self._making or self._begin())
        except Exception:
            self._making = None  # the next who wants one tries again
            raise

    def _begin(self) -> asyncio.Task[Ingredients]:
        self._making = asyncio.get_running_loop().create_task(asyncio.to_thread(self._make))
        return self._making

    async def close(self) -> None:
        if self._making is not None:
            await asyncio.wait([self._making])

    async def disks(self, artefact: MicroVm) -> tuple[DiskPlan, ...]:
        """
        Raises:
            StartFailed, OSError: they cannot be made.
        """
        code = await asyncio.to_thread(self._disks.code, artefact.code)
        bundle = self.place / EMPTY
        if artefact.bundle is not None:
            bundle = await asyncio.to_thread(self._disks.bundle, artefact.bundle)
        return (DiskPlan(CODE, code), DiskPlan(BUNDLE, bundle))

    def room(self) -> tuple[DiskPlan, ...]:
        """Where those of a function will be, in a machine that has none yet: so large that whatever comes fits."""
        return (DiskPlan(CODE, self.place / ROOM), DiskPlan(BUNDLE, self.place / ROOM))

    def _make(self) -> Ingredients:
        found = needs.find(self._options)
        self._disks.open()
        (self.place / EMPTY).write_bytes(bytes(BLOCK))
        with open(self.place / ROOM, "wb") as file:
            os.truncate(file.fileno(), LARGEST)
        modules = initramfs.read_modules(initramfs.MODULES[found.kind], found.modules)
        init = f"{host_python.interpreter()} -I -S {INIT}"
        kernel, is_qemu = found.kernel.read_bytes(), found.kind == "qemu"
        if not is_qemu:
            init, kernel = f"{init} {VSOCK}", unpacked(kernel)
        packed = initramfs.archive(initramfs.entries(found.kind, found.busybox.read_bytes(), modules, init))
        told, is_emulated = CPUINFO.read_text(), is_qemu and self._options.accelerator == "tcg"
        processor = "" if is_emulated else hashlib.sha256(needs.features(told).encode()).hexdigest()
        khz = needs.khz(told) if is_emulated else 0
        root = self._disks.root(found.busybox)
        files = self._keep("kernel", kernel), self._keep("initramfs", packed)
        return Ingredients(found, *files, root, khz, processor)

    def _keep(self, kind: str, data: bytes) -> Path:
        made = self.place / f"{kind}-{hashlib.sha256(data).hexdigest()[:32]}"
        if not made.exists():
            with tempfile.NamedTemporaryFile(prefix=UNFINISHED, dir=self.place, delete=False) as file:
                file.write(data)
                os.fchmod(file.fileno(), 0o444)
            os.rename(file.name, made)
        for old in self.place.glob(f"{kind}-*"):
            if old != made:
                old.unlink(missing_ok=True)
        return made


def grouped(common: Common, size_mb: int, cpus: float | None = None) -> Group | None:
    """A cgroup for a monitor and its machine. Blocking."""
    if common.groups is None:
        return None
    group = common.groups.make()
    group.limit(size_mb + MONITOR_MB, MONITOR_TASKS, cpus)
    return group


def copy_sparsely(source: int, target: int) -> None:
    """All that is not zero; by reference where the file system can."""
    size, at = os.fstat(source).st_size, 0
    os.truncate(target, size)
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
        except OSError:  # nothing but a hole is left
            return
        end = os.lseek(source, at, os.SEEK_HOLE)
        while at < end:
            copied = os.copy_file_range(source, target, end - at, at, at)
            if copied == 0:
                return
            at += copied


class OpenFiles:
    """What one machine is made from, as descriptors that its monitor inherits: it need not find the way to any file."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.descriptors: list[int] = []

    def __repr__(self) -> str:
        return f"<OpenFiles {len(self.descriptors)} files>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()
        self.descriptors.clear()

    def file(self, path: Path) -> Path:
        """Its name for the monitor."""
        return Path(f"/proc/self/fd/{self.owned(os.open(path, os.O_RDONLY | os.O_CLOEXEC))}")

    def owned(self, descriptor: int) -> int:
        """The same number; it is closed with the rest."""
        self._stack.callback(os.close, descriptor)
        self.descriptors.append(descriptor)
        return descriptor

    def held(self, descriptor: int) -> Path:
        """The same of one that stays open here."""
        self.descriptors.append(descriptor)
        return Path(f"/proc/self/fd/{descriptor}")
