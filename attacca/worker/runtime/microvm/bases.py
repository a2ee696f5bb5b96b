"""Machines that have booted and wait to be told what they are: one for each size, booted once and kept on the disk.

    of(size) ──▶ its memory and state, where an earlier run has kept them; else booted, saved, and kept

Nothing of a user's is in them, and each machine that is restored from one has a copy of its memory, under its own user.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final

from attacca.errors import StartFailed
from attacca.guest import channel as wire
from attacca.worker.host.cgroups import Group
from attacca.worker.host.network import Namespace
from attacca.worker.runtime.microvm.hypervisor import Hypervisor
from attacca.worker.runtime.microvm.machines import Machines
from attacca.worker.runtime.microvm.monitor import Ingredients, Left, MachineSize, SavedMachine, Start
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.microvm.vm import Vm

BASE: Final = "base"
CARD: Final = "-card"  # at the end of the names of those that have one
HINT: Final = "`attacca doctor` says what is there; microvm.boot_timeout_s is how long it may take"


class Bases:
    """`network` makes one for a machine that has a card; `group` one for a machine of so many MB, or None, and `spent`
    gets it back."""

    def __init__(
        self,
        hypervisor: Hypervisor,
        machines: Machines,
        options: MicroVmOptions,
        user: int | None,
        network: Callable[[], Awaitable[Namespace]],
        group: Callable[[int], Group | None],
        spent: Callable[[Group], None],
    ) -> None:
        self._hypervisor, self._machines, self._options = hypervisor, machines, options
        self._user, self._network, self._group, self._spent = user, network, group, spent
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
        name = self.name(common, size)
        found = SavedMachine(*(self._machines.place / f"{name}.{part}" for part in ("memory", "state")))
        if await asyncio.to_thread(found.state.exists):
            return found
        await asyncio.to_thread(self._sweep, _key(common, self._hypervisor))
        task = self._booting.get(size)
        if task is None:
            task = self._booting[size] = asyncio.get_running_loop().create_task(self._boot(common, size, found))
            task.add_done_callback(lambda _: self._booting.pop(size))
        return await asyncio.shield(task)

    def name(self, common: Ingredients, size: MachineSize) -> str:
        """By all that a machine of this size depends on."""
        of = _key(common, self._hypervisor)
        return f"{BASE}-{of}-{size.memory_mb}-{size.cpus}{CARD if size.has_card else ''}"

    async def close(self) -> None:
        self._is_closed = True
        for vm in self._vms.values():
            vm.process.kill("its runtime was closed")
        if self._booting:
            await asyncio.wait(self._booting.values())

    async def _boot(self, common: Ingredients, size: MachineSize, kept: SavedMachine) -> SavedMachine:
        group = await asyncio.to_thread(self._group, size.memory_mb)
        left = await self._booted(common, size, group)
        try:
            await asyncio.to_thread(left.keep, kept)
        finally:
            left.close()
        return kept

    async def _booted(self, common: Ingredients, size: MachineSize, group: Group | None) -> Left:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[str] = loop.create_future()
        found: list[Left] = []

        def hear(kind: int, payload: bytes) -> None:
            if kind != wire.HALL or payload:
                raise ValueError("a machine without a function has one word to say")
            vm.monitor.save()

        def saved(left: Left) -> None:
            found.append(left)
            vm.process.kill("its memory is saved")

        vm = self._hypervisor.vm(f"{BASE}-{size.memory_mb}", loop, lambda _: None)
        vm.hear, vm.saved, vm.over, vm.group = hear, saved, over.set_result, group
        self._vms[vm.name] = vm
        seconds = self._options.boot_timeout_s
        timer = loop.call_later(seconds, vm.process.kill, f"it did not boot within {seconds:g} s")
        network: Namespace | None = None
        try:
            if self._is_closed:
                vm.process.abandon()
            else:
                network = await self._network() if size.has_card else None
                await self._spawn(vm, common, size, network)
            why = await over
        finally:
            if network is not None:
                network.close()
            timer.cancel()
            said = vm.said()
            vm.close()
            del self._vms[vm.name]
            if group is not None:
                self._spent(group)
        if not found:
            raise StartFailed(f"a machine of {size.memory_mb} MB did not boot: {why}{said and f' ({said})'}", HINT)
        return found[0]

    async def _spawn(self, vm: Vm, common: Ingredients, size: MachineSize, network: Namespace | None) -> None:
        start = Start(
            common=common, disks=self._machines.room(), size=size, user=self._user, saved=None, is_base=False,
            is_kept=True, network=network,
        )  # fmt: skip
        try:
            await vm.monitor.prepare(start)
            await vm.monitor.begin()
        except BaseException:
            vm.kill("it could not be started")
            raise

    def _sweep(self, of: str) -> None:
        """Those of another kernel, Python or monitor go. Blocking."""
        for old in self._machines.place.glob(f"{BASE}-*"):
            if not old.name.startswith(f"{BASE}-{of}-"):
                old.unlink(missing_ok=True)


def _key(common: Ingredients, hypervisor: Hypervisor) -> str:
    """All that a saved machine depends on, besides its size."""
    found = common.needs.monitor.stat()
    said = [common.kernel.name, common.initramfs.name, common.root.name, common.needs.monitor, found.st_size]
    said += [found.st_mtime_ns, common.processor, common.khz, hypervisor.key()]
    return hashlib.sha256("\0".join(map(str, said)).encode()).hexdigest()[:32]
