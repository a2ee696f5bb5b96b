"""What every micro-VM of a worker is made from: a kernel, its first files, disks, and files to be memory."""

import asyncio
import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import IO, Final, Self

import msgspec

from attacca.images import host_python
from attacca.model.function import MicroVm
from attacca.worker.host.cgroups import Group
from attacca.worker.runtime.code_store import CodeStore
from attacca.worker.runtime.microvm import initramfs, needs, qemu
from attacca.worker.runtime.microvm.disks import BLOCK, INIT, UNFINISHED, Disks
from attacca.worker.runtime.microvm.inside.words import BUNDLE, CODE
from attacca.worker.runtime.microvm.needs import MachineNeeds
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.process.common import Common

MONITOR_MB: Final = 96  # besides the machine's memory: itself, and what is emulated once it is translated
MONITOR_TASKS: Final = 64
ROOT: Final = "root"
CPUINFO: Final = Path("/proc/cpuinfo")
EMPTY: Final = "empty"  # the disk of a bundle that is not there
LARGEST: Final = 1 << 36  # bytes of a disk


class Ingredients(msgspec.Struct, frozen=True):
    """Of all machines here."""

    needs: MachineNeeds
    kernel: Path  # which everybody may read
    initramfs: Path
    root: Path
    khz: int
    processor: str  # whose a saved machine is; empty: any


class Machines:
    """Makes what is common once, when the first is wanted."""

    def __init__(self, store: CodeStore, options: MicroVmOptions, place: Path) -> None:
        self._options, self.place = options, place
        self._disks = Disks(place, store.code, store.bundles)
        self._making: asyncio.Task[Ingredients] | None = None

    def __repr__(self) -> str:
        state = "nothing made" if self._making is None else "made" if self._making.done() else "being made"
        return f"<Machines {state}, {self._disks}>"

    async def common(self) -> Ingredients:
        """
        Raises:
            IsolationMissing: this machine cannot have one.
            StartFailed, BuildFailed, OSError: something could not be made.
        """
        if self._making is None:
            self._making = asyncio.get_running_loop().create_task(asyncio.to_thread(self._make))
        try:
            return await asyncio.shield(self._making)
        except Exception:
            self._making = None  # the next who wants one tries again
            raise

    async def close(self) -> None:
        if self._making is not None:
            await asyncio.wait([self._making])

    async def disks(self, artefact: MicroVm) -> tuple[qemu.DiskPlan, ...]:
        """
        Raises:
            StartFailed, OSError: they cannot be made.
        """
        code = await asyncio.to_thread(self._disks.code, artefact.code)
        bundle = self.place / EMPTY
        if artefact.bundle is not None:
            bundle = await asyncio.to_thread(self._disks.bundle, artefact.bundle)
        return (qemu.DiskPlan(CODE, code), qemu.DiskPlan(BUNDLE, bundle))

    def empty(self, opened: "OpenFiles") -> tuple[qemu.DiskPlan, ...]:
        """Where those of a function will be, in a machine that has none yet: so large that whatever comes fits."""
        with tempfile.TemporaryFile(dir=self.place) as file:
            os.truncate(file.fileno(), LARGEST)
            os.fchmod(file.fileno(), 0o444)
            named = opened.file(Path(f"/proc/self/fd/{file.fileno()}"))
            return (qemu.DiskPlan(CODE, named), qemu.DiskPlan(BUNDLE, opened.file(named)))

    def memory(self, user: int | None, like: Path) -> IO[bytes]:
        """A copy without a name, which is gone with the last who has it open. Blocking."""
        file = tempfile.TemporaryFile(dir=self.place, buffering=0)  # noqa: SIM115 - whoever has it closes it
        with open(like, "rb") as source:
            copy_sparsely(source.fileno(), file.fileno())
        if user is not None:
            os.fchown(file.fileno(), user, user)
        return file

    def blank(self) -> IO[bytes]:
        """Blocking."""
        return tempfile.TemporaryFile(dir=self.place, buffering=0)

    def _make(self) -> Ingredients:
        found = needs.find(self._options)
        self._disks.open()
        (self.place / EMPTY).write_bytes(bytes(BLOCK))
        modules = initramfs.read_modules(found.modules)
        init = f"{host_python.interpreter()} -I -S {INIT}"
        packed = initramfs.archive(initramfs.entries(found.busybox.read_bytes(), modules, init))
        told, is_emulated = CPUINFO.read_text(), self._options.accelerator == "tcg"
        processor = "" if is_emulated else hashlib.sha256(needs.features(told).encode()).hexdigest()
        khz = needs.khz(told) if is_emulated else 0
        root = self._disks.root(found.busybox)
        kernel, first = self._keep("kernel", found.kernel.read_bytes()), self._keep("initramfs", packed)
        return Ingredients(found, kernel, first, root, khz, processor)

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
        self._stack.close()

    def file(self, path: Path) -> Path:
        """Its name for the monitor."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._stack.callback(os.close, descriptor)
        return self.held(descriptor)

    def held(self, descriptor: int) -> Path:
        """The same of one that stays open here."""
        self.descriptors.append(descriptor)
        return Path(f"/proc/self/fd/{descriptor}")


def plan(
    common: Ingredients,
    disks: tuple[qemu.DiskPlan, ...],
    options: MicroVmOptions,
    memory_mb: int,
    opened: OpenFiles,
    memory: int,
    *,
    is_shared: bool,
    cpus: int = 1,
) -> qemu.MachinePlan:
    """With the names that a monitor has for what is opened."""
    named = opened.file
    return qemu.MachinePlan(
        kernel=named(common.kernel),
        initramfs=named(common.initramfs),
        disks=tuple(qemu.DiskPlan(one.serial, named(one.path)) for one in (qemu.DiskPlan(ROOT, common.root), *disks)),
        memory=opened.held(memory),
        memory_mb=memory_mb,
        is_shared=is_shared,
        accelerator=options.accelerator,
        khz=common.khz,
        cpus=cpus,
    )
