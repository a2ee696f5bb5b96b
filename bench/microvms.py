"""Starts of micro-VMs from a template, beside a boot of the same machine.

python bench/microvms.py [STARTS]

From the order until the function's agent says that it is ready. The floor is a boot until its first process has a word
to say, which is before it imports anything of a function's. They take turns.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvloop

from attacca.errors import IsolationMissing
from attacca.kernel.clock import SystemClock
from attacca.model.function import MicroVm, Revision, Settings, Signature
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.microvm.machines import Machines
from attacca.worker.runtime.microvm.monitor import MachineSize, Start
from attacca.worker.runtime.microvm.needs import HINT, lacking
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.microvm.qemu_monitor import Qemu
from attacca.worker.runtime.microvm.restoring import GUEST_MB
from attacca.worker.runtime.microvm.runtime import MicroVmRuntime
from attacca.worker.runtime.process.options import ProcessOptions
from bench.orders import Orders, in_turns
from bench.places import place
from bench.result import Result, Round

BAR, MEMORY_MB = 0.05, 64
CODE = "def handler(event, context):\n    return event\n"
TIMEOUT_S = 300.0


class Booting:
    """The same monitor, kernel and root, from nothing."""

    def __init__(self, store: SharedCode, place: Path) -> None:
        self._options = MicroVmOptions()
        self._machines = Machines(store, self._options, place)

    async def start(self) -> float:
        """Seconds."""
        loop, common = asyncio.get_running_loop(), await self._machines.common()
        heard: asyncio.Future[float] = loop.create_future()
        over: asyncio.Future[str] = loop.create_future()
        vm = Qemu(self._options, self._machines.place).vm("floor", loop, lambda _: None)
        began = time.perf_counter()
        vm.hear = lambda _kind, _payload: heard.set_result(time.perf_counter() - began)
        vm.over = over.set_result
        size = MachineSize(MEMORY_MB + GUEST_MB, 1)
        start = Start(
            common=common, disks=self._machines.room(), size=size, user=None, saved=None, is_base=False, is_kept=False
        )
        await vm.monitor.prepare(start)
        await vm.monitor.begin()
        took = await asyncio.wait_for(heard, TIMEOUT_S)
        vm.process.kill()
        await over
        vm.close()
        return took


class Restoring(Orders):
    """The runtime of a worker."""

    def __init__(self, store: SharedCode, at: Path) -> None:
        settings = Settings(name="box", memory_mb=MEMORY_MB)
        self._revision = Revision(
            function="box", number=1, settings=settings, handler="main:handler", signature=Signature.EVENT_CONTEXT,
            artefact=MicroVm("box"),
        )  # fmt: skip
        options = ProcessOptions(start_timeout_s=TIMEOUT_S)
        super().__init__(MicroVmRuntime(store, MicroVmOptions(), options, at, SystemClock()))

    async def open(self) -> None:
        await super().open()
        await self.make_template("t", self._revision)

    async def restored(self) -> float:
        return await self.start(self._revision, "t")


def measured(rounds: int, size: int) -> list[Round]:
    """Medians, in milliseconds."""

    async def run(at: Path) -> list[Round]:
        store = SharedCode(at)
        store.open()
        (store.code / "box").mkdir()
        (store.code / "box" / "main.py").write_text(CODE)
        ours, floor = Restoring(store, at / "microvms"), Booting(store, at / "microvms")
        await ours.open()
        try:
            await ours.restored()
            return await in_turns(ours.restored, floor.start, rounds, size)
        finally:
            await ours.close()

    if why := lacking(MicroVmOptions()):
        raise IsolationMissing(why, HINT)
    with place() as at:
        return uvloop.run(run(at))


def microvm(rounds: int, size: int) -> Iterator[Result]:
    """starts of a micro-VM from its template until its agent is ready, against a boot of the same machine"""
    yield Result("start of a micro-VM from its template", "ms", "its boot", BAR, measured(rounds, size))


def main() -> None:
    for one in measured(2, int([*sys.argv, "5"][1])):
        print(f"{one.ours:6.1f} ms, its boot {one.floor:6.1f} ms, {one.ratio:.3f}")


if __name__ == "__main__":
    main()
