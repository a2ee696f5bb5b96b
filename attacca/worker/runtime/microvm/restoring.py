"""How a micro-VM comes to run: what it is made from is there, and its monitor goes on where that was saved."""

import asyncio
import math
from collections.abc import Callable
from pathlib import Path

from attacca.errors import BadFunction
from attacca.kernel.clock import Clock
from attacca.model.function import MicroVm, Network
from attacca.worker.host.cgroups import Group
from attacca.worker.runtime.microvm import qemu
from attacca.worker.runtime.microvm.bases import Bases, MachineSize, SavedMachine
from attacca.worker.runtime.microvm.housed import Housed
from attacca.worker.runtime.microvm.machines import Machines, OpenFiles, plan
from attacca.worker.runtime.microvm.options import MicroVmOptions

GUEST_MB = 96  # of a machine's memory, for its kernel and what it has read of its disks
BY_MEMORY = Path()  # what is restored from a template has its memory itself
OWN_NETWORK = 'write network = "none"'


class Restoring:
    """`group` makes the cgroup of a machine of so many MB and processors."""

    def __init__(
        self,
        machines: Machines,
        bases: Bases,
        options: MicroVmOptions,
        group: Callable[[int, float | None], Group | None],
        clock: Clock,
    ) -> None:
        self._machines, self._bases, self._options, self._group, self._clock = machines, bases, options, group, clock

    def __repr__(self) -> str:
        return f"<Restoring from {self._machines}>"

    async def begin(self, one: Housed, parent: Housed | None, user: int | None) -> None:
        """
        Raises:
            AttaccaError, OSError: it cannot be made.
        """
        settings, artefact = one.revision.settings, one.revision.artefact
        assert isinstance(artefact, MicroVm), f"no micro-VM is made of {artefact.what}"
        if settings.network is not Network.NONE:
            raise BadFunction(f'a micro-VM cannot have network = "{settings.network}"', OWN_NETWORK)
        if settings.gpu:
            raise BadFunction("a micro-VM has no accelerators", 'leave out gpu, or write runtime = "process"')
        began, common, disks = self._clock.now(), await self._machines.common(), await self._machines.disks(artefact)
        size = MachineSize(settings.memory_mb + GUEST_MB, math.ceil(settings.cpus or 1.0))
        one.vm.group = await asyncio.to_thread(self._group, size.memory_mb, settings.cpus)
        if parent is None:
            saved = await self._bases.of(common, size)
            memory = one.memory = await asyncio.to_thread(self._machines.memory, user, saved.memory)
        elif parent.memory is None or parent.state is None:
            one.kill("its template is gone")
            return
        else:
            memory, saved = parent.memory, SavedMachine(BY_MEMORY, Path(f"/proc/self/fd/{parent.state.fileno()}"))
        if one.is_template:
            one.state = await asyncio.to_thread(self._machines.blank)
        one.image_ms = (self._clock.now() - began) * 1e3
        if one.is_doomed:
            return
        with OpenFiles() as opened:
            state = int(opened.file(saved.state).name)
            planned = plan(
                common, disks, self._options, size.memory_mb, opened, memory.fileno(),
                is_shared=one.is_template, cpus=size.cpus,
            )  # fmt: skip
            one.vm.spawn(common.needs.monitor, planned, opened.descriptors, state, user)
        if one.vm.group is not None:
            await asyncio.to_thread(one.vm.group.add, one.vm.process.pid)
        one.vm.monitor.send(qemu.restore(state))
