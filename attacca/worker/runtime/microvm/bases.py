"""Machines that have booted and wait to be told what they are: one for each size, booted once and kept on the disk.

    of(size) ──▶ its memory and state, where an earlier run has kept them; else booted, saved, and kept

Nothing of a user's is in them, and each machine that is restored from one has a copy of its memory, under its own user.
"""

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import msgspec

from attacca.errors import StartFailed
from attacca.guest import channel as wire
from attacca.worker.host.cgroups import Group
from attacca.worker.runtime.microvm import qemu
from attacca.worker.runtime.microvm.disks import UNFINISHED
from attacca.worker.runtime.microvm.machines import Ingredients, Machines, OpenFiles, plan
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.microvm.vm import Vm

BASE: Final = "base"
HINT: Final = "`attacca doctor` says what is there; microvm.boot_timeout_s is how long it may take"


class MachineSize(msgspec.Struct, frozen=True):
    memory_mb: int
    cpus: int


class SavedMachine(msgspec.Struct, frozen=True):
    """What a machine has left: files that may be copied from."""

    memory: Path
    state: Path


class Bases:
    """`group` makes one for a machine of so many MB, or None; `spent` gets it back."""

    def __init__(
        self,
        machines: Machines,
        options: MicroVmOptions,
        user: int | None,
        group: Callable[[int], Group | None],
        spent: Callable[[Group], None],
    ) -> None:
        self._machines, self._options, self._user, self._group, self._spent = machines, options, user, group, spent
        self._booting: dict[MachineSize, asyncio.Task[SavedMachine]] = {}
        self._vms: dict[str, Vm] = {}
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Bases {len(self._vms)} booting>"

    async def of(self, common: Ingredients, size: MachineSize) -> SavedMachine:
        """
        Raises:
            StartFailed, OSError: it does not boot.
        """
        of = _key(common, self._options)
        name = f"{BASE}-{of}-{size.memory_mb}-{size.cpus}"
        found = SavedMachine(*(self._machines.place / f"{name}.{part}" for part in ("memory", "state")))
        if await asyncio.to_thread(found.state.exists):
            return found
        await asyncio.to_thread(self._sweep, of)
        task = self._booting.get(size)
        if task is None:
            task = self._booting[size] = asyncio.get_running_loop().create_task(self._boot(common, size, found))
            task.add_done_callback(lambda _: self._booting.pop(size))
        return await asyncio.shield(task)

    async def close(self) -> None:
        self._is_closed = True
        for vm in self._vms.values():
            vm.process.kill("its runtime was closed")
        if self._booting:
            await asyncio.wait(self._booting.values())

    async def _boot(self, common: Ingredients, size: MachineSize, kept: SavedMachine) -> SavedMachine:
        group = await asyncio.to_thread(self._group, size.memory_mb)
        memory, state = await asyncio.to_thread(self._files, size.memory_mb)
        try:
            await self._booted(common, size, group, memory, state)
            os.fsync(state.fileno())
            os.rename(memory.name, kept.memory)
            os.rename(state.name, kept.state)  # last: where it is, so is the memory
        finally:
            for file in (memory, state):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(file.name)
                file.close()
        return kept

    async def _booted(
        self, common: Ingredients, size: MachineSize, group: Group | None, memory: IO[bytes], state: IO[bytes]
    ) -> None:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[str] = loop.create_future()
        is_saved = False

        def hear(kind: int, payload: bytes) -> None:
            if kind != wire.HALL or payload:
                raise ValueError("a machine without a function has one word to say")
            vm.monitor.send(qemu.save(), state.fileno())

        def saved() -> None:
            nonlocal is_saved
            is_saved = True
            vm.process.kill("its memory is saved")

        vm = Vm(f"{BASE}-{size.memory_mb}", loop, lambda _: None)
        vm.hear, vm.saved, vm.over, vm.group = hear, saved, over.set_result, group
        self._vms[vm.name] = vm
        seconds = self._options.boot_timeout_s
        timer = loop.call_later(seconds, vm.process.kill, f"it did not boot within {seconds:g} s")
        try:
            if self._is_closed:
                vm.process.abandon()
            else:
                await self._spawn(vm, common, size, memory)
            why = await over
        finally:
            timer.cancel()
            said = vm.said()
            vm.agent.close()
            vm.close()
            del self._vms[vm.name]
            if group is not None:
                self._spent(group)
        if not is_saved:
            raise StartFailed(f"a machine of {size.memory_mb} MB did not boot: {why}{said and f' ({said})'}", HINT)

    async def _spawn(self, vm: Vm, common: Ingredients, size: MachineSize, memory: IO[bytes]) -> None:
        try:
            with OpenFiles() as opened:
                empty = self._machines.empty(opened)
                planned = plan(
                    common, empty, self._options, size.memory_mb, opened, memory.fileno(),
                    is_shared=True, cpus=size.cpus,
                )  # fmt: skip
                vm.spawn(common.needs.monitor, planned, opened.descriptors, None, self._user)
        except OSError:
            vm.process.abandon()
            raise
        if vm.group is not None:
            await asyncio.to_thread(vm.group.add, vm.process.pid)
        vm.monitor.send(qemu.begin())

    def _sweep(self, of: str) -> None:
        """Those of another kernel, Python or monitor go. Blocking."""
        for old in self._machines.place.glob(f"{BASE}-*"):
            if not old.name.startswith(f"{BASE}-{of}-"):
                old.unlink(missing_ok=True)

    def _files(self, memory_mb: int) -> tuple[IO[bytes], IO[bytes]]:
        memory, state = (
            tempfile.NamedTemporaryFile(prefix=UNFINISHED, dir=self._machines.place, delete=False, buffering=0)  # noqa: SIM115 - closed by whoever boots
            for _ in range(2)
        )
        os.truncate(memory.fileno(), memory_mb << 20)
        if self._user is not None:
            os.fchown(memory.fileno(), self._user, self._user)
        return memory, state


def _key(common: Ingredients, options: MicroVmOptions) -> str:
    """All that a saved machine depends on, besides its size."""
    found = common.needs.monitor.stat()
    said = [common.kernel.name, common.initramfs.name, common.root.name, common.needs.monitor, found.st_size]
    said += [found.st_mtime_ns, options.accelerator, common.processor, common.khz, qemu.VERSION]
    return hashlib.sha256("\0".join(map(str, said)).encode()).hexdigest()[:32]
