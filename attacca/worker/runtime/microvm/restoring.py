"""How a micro-VM comes to run: what it is made from is there, and its monitor goes on where that was saved."""

import asyncio
import math
from collections.abc import Callable

from attacca.errors import BadFunction
from attacca.kernel.clock import Clock
from attacca.model.function import MicroVm, Network
from attacca.worker.host.cgroups import Group
from attacca.worker.runtime.microvm.bases import Bases
from attacca.worker.runtime.microvm.cards import Cards
from attacca.worker.runtime.microvm.housed import Housed, Progress
from attacca.worker.runtime.microvm.kept import FoundTemplate, KeptTemplates
from attacca.worker.runtime.microvm.machines import Machines
from attacca.worker.runtime.microvm.monitor import MachineSize, Start

GUEST_MB = 96  # of a machine's memory, for its kernel and what it has read of its disks
OWN_NETWORK = 'write network = "nat", or runtime = "process"'


class Restoring:
    """`group` makes the cgroup of a machine of so many MB and processors; `tell` hears what one was refused of its
    network."""

    def __init__(
        self,
        machines: Machines,
        bases: Bases,
        cards: Cards,
        kept: KeptTemplates,
        group: Callable[[int, float | None], Group | None],
        clock: Clock,
        tell: Callable[[Housed, str], None],
    ) -> None:
        self._machines, self._bases, self._cards, self._kept = machines, bases, cards, kept
        self._group, self._clock, self._tell = group, clock, tell

    def __repr__(self) -> str:
        return f"<Restoring from {self._machines}>"

    async def begin(self, one: Housed, parent: Housed | None, user: int | None) -> FoundTemplate | None:
        """What it found where it is a template, and nothing has to be started.

        Raises:
            AttaccaError, OSError: it cannot be made.
        """
        settings, artefact = one.revision.settings, one.revision.artefact
        assert isinstance(artefact, MicroVm), f"no micro-VM is made of {artefact.what}"
        if settings.network is Network.HOST:
            raise BadFunction('a micro-VM cannot have network = "host"', OWN_NETWORK)
        if settings.gpu:
            raise BadFunction("a micro-VM has no accelerators", 'leave out gpu, or write runtime = "process"')
        began, common, disks = self._clock.now(), await self._machines.common(), await self._machines.disks(artefact)
        has_card = settings.network is Network.NAT
        size = MachineSize(settings.memory_mb + GUEST_MB, math.ceil(settings.cpus or 1.0), has_card)
        one.kept = self._kept.name(one.revision, self._bases.name(common, size))
        found = await self._kept.find(one.kept, user) if parent is None else None
        if found is not None and one.is_template:
            return found
        try:
            if has_card:
                plugged = self._clock.now()
                one.card = await self._cards.take(settings, lambda text: self._tell(one, text))
                one.network_ms = (self._clock.now() - plugged) * 1e3
            one.vm.group = await asyncio.to_thread(self._group, size.memory_mb, settings.cpus)
            if parent is not None and parent.left is None:
                one.kill("its template is gone")
                return None
            left = parent.left if parent is not None else found.left if found is not None else None
            start = Start(
                common=common, disks=disks, size=size, user=user, is_base=left is None, is_kept=one.is_template,
                saved=await self._bases.of(common, size) if left is None else left.saved,
                network=None if one.card is None else one.card.namespace,
            )  # fmt: skip
            await one.vm.monitor.prepare(start)
        finally:
            if found is not None:
                found.left.close()
        if found is not None:
            one.phase, one.is_from_kept = Progress.SERVING, True
        one.image_ms = (self._clock.now() - began) * 1e3 - one.network_ms
        if not one.is_doomed:
            await one.vm.monitor.begin()
        return None
