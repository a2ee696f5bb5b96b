"""Machines that a QEMU runs: it inherits all that it needs, and is told over QMP."""

import asyncio
import contextlib
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from attacca.worker.host import tap
from attacca.worker.runtime.microvm import qemu
from attacca.worker.runtime.microvm.disks import UNFINISHED
from attacca.worker.runtime.microvm.machines import OpenFiles, copy_sparsely
from attacca.worker.runtime.microvm.monitor import DiskPlan, Left, SavedMachine, Start
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.microvm.qmp import QmpSocket
from attacca.worker.runtime.microvm.vm import Vm

ROOT = "root"


class Qemu:
    """Implements `hypervisor.Hypervisor`; `place` is where files are kept."""

    def __init__(self, options: MicroVmOptions, place: Path) -> None:
        self._options, self._place = options, place

    def __repr__(self) -> str:
        return f"<Qemu {self._options.accelerator}>"

    def key(self) -> str:
        return f"{self._options.accelerator} {qemu.VERSION}"

    def vm(self, name: str, loop: asyncio.AbstractEventLoop, printed: Callable[[bytes], None]) -> Vm:
        vm = Vm(name, loop, printed)
        vm.monitor = QemuMonitor(vm, loop, self._options, self._place)
        return vm


class QemuMonitor:
    def __init__(self, vm: Vm, loop: asyncio.AbstractEventLoop, options: MicroVmOptions, place: Path) -> None:
        self._vm, self._options, self._place = vm, options, place
        own, self._inner = zip(*(socket.socketpair() for _ in range(1 + len(qemu.PORTS))), strict=True)
        qmp, control, agent, out = own
        self._qmp = QmpSocket(loop, qmp, self._told, vm.process.kill)
        vm.attach(control, agent, out)
        self._start: Start
        self._opened = OpenFiles()
        self._saved: SavedMachine | None = None
        self._memory: IO[bytes] | None = None
        self._left: Left | None = None
        self._card: int | None = None

    def __repr__(self) -> str:
        return f"<QemuMonitor {self._qmp}>"

    async def prepare(self, start: Start) -> None:
        self._start = start
        if start.saved is not None:  # at once: who owns that may let go of it meanwhile
            files = self._opened.file(start.saved.memory), self._opened.file(start.saved.state)
            self._saved = SavedMachine(*files)
        await asyncio.to_thread(self._prepare, start)

    async def begin(self) -> None:
        start, opened, saved = self._start, self._opened, self._saved
        state = None if saved is None else int(saved.state.name)
        try:
            if self._memory is not None:
                memory = opened.held(self._memory.fileno())
            else:
                assert saved is not None
                memory = saved.memory
            planned = plan(start, self._options, opened, memory, self._card)
            monitor, *ports = (one.fileno() for one in self._inner)
            words = qemu.command(str(start.common.needs.monitor), planned, monitor, ports, state)
            files = [monitor, *ports, *opened.descriptors]
            self._vm.spawn(words, files, start.user, is_kvm=planned.accelerator == "kvm")
        finally:
            self._let_go()
        if self._vm.group is not None:
            await asyncio.to_thread(self._vm.group.add, self._vm.process.pid)
        self._qmp.send(qemu.begin() if state is None else qemu.restore(state))

    def save(self) -> None:
        assert self._left is not None, "it was not to be saved"
        self._qmp.send(qemu.save(), self._left.state.fileno())

    def stop(self) -> None:
        self._qmp.send(qemu.stop())

    def go_on(self) -> None:
        self._qmp.send(qemu.go_on())

    def close(self) -> None:
        self._qmp.close()
        self._let_go()
        if self._left is not None:
            self._left.close()
        elif self._memory is not None:
            self._memory.close()

    def _let_go(self) -> None:
        self._opened.close()
        for one in self._inner:
            one.close()

    def _told(self, told: qemu.QmpLine) -> None:
        if told.error is not None:
            self._vm.process.kill(f"its monitor refused: {told.error.desc[:300]}")
        elif told.event == "RESUME":
            self._vm.resumed()
        elif told.event == "MIGRATION" and told.data.status == "completed" and self._left is not None:
            left, self._left, self._memory = self._left, None, None
            self._vm.saved(left)
        elif told.event == "MIGRATION" and told.data.status == "failed":
            self._vm.process.kill("its memory could not be saved")

    def _prepare(self, start: Start) -> None:
        """A machine that is saved, and one that is restored from a base, write to a memory of their own. Blocking."""
        if start.network is not None:
            with start.network.within():
                self._card = self._opened.owned(tap.opened())
        if start.saved is None:
            self._memory, state = self._named(), self._named()
            os.truncate(self._memory.fileno(), start.size.memory_mb << 20)
            names = SavedMachine(Path(self._memory.name), Path(state.name))
            self._left = Left(self._memory, state, names, (names.memory, names.state))
        elif start.is_base:
            assert self._saved is not None
            self._memory = self._nameless()
            copy_sparsely(int(self._saved.memory.name), self._memory.fileno())
            if start.is_kept:
                state = self._nameless()
                memory, kept = (Path(f"/proc/self/fd/{one.fileno()}") for one in (self._memory, state))
                self._left = Left(self._memory, state, SavedMachine(memory, kept))
        if self._memory is not None and start.user is not None:
            os.fchown(self._memory.fileno(), start.user, start.user)

    def _named(self) -> IO[bytes]:
        return tempfile.NamedTemporaryFile(prefix=UNFINISHED, dir=self._place, delete=False, buffering=0)

    def _nameless(self) -> IO[bytes]:
        """Gone with the last who has it open, unless somebody links it to a name."""
        with contextlib.suppress(OSError):  # of file systems that have none
            return open(os.open(self._place, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600), "w+b", buffering=0)
        return tempfile.TemporaryFile(dir=self._place, buffering=0)


def plan(start: Start, options: MicroVmOptions, opened: OpenFiles, memory: Path, card: int | None) -> qemu.MachinePlan:
    """With the names that a monitor has for what is opened."""
    named, common = opened.file, start.common
    return qemu.MachinePlan(
        kernel=named(common.kernel),
        initramfs=named(common.initramfs),
        disks=tuple(DiskPlan(one.serial, named(one.path)) for one in (DiskPlan(ROOT, common.root), *start.disks)),
        memory=memory,
        memory_mb=start.size.memory_mb,
        is_shared=start.is_kept,
        accelerator=options.accelerator,
        khz=common.khz,
        cpus=start.size.cpus,
        card=card,
    )
