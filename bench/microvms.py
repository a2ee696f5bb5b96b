"""Starts of micro-VMs from a template, beside a boot of the same machine.

python bench/microvms.py [STARTS]

From the order until the function's agent says that it is ready. The floor is a boot until its first process has a word
to say, which is before it imports anything of a function's. They take turns.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvloop

from attacca.errors import IsolationMissing
from attacca.kernel.clock import SystemClock
from attacca.model.function import MicroVm, Revision, Settings, Signature
from attacca.worker.core.reports import Report, SandboxGone, SandboxReady, TemplateReady
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.microvm.machines import Machines
from attacca.worker.runtime.microvm.monitor import MachineSize, Start
from attacca.worker.runtime.microvm.needs import HINT, lacking
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.microvm.qemu_monitor import Qemu
from attacca.worker.runtime.microvm.restoring import GUEST_MB
from attacca.worker.runtime.microvm.runtime import MicroVmRuntime
from attacca.worker.runtime.process.options import ProcessOptions
from bench.result import Result, Round

BAR, MEMORY_MB, PAUSE_S = 0.05, 64, 0.05
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


class Restoring:
    """The runtime of a worker, which hears what it reports."""

    def __init__(self, store: SharedCode, place: Path) -> None:
        settings = Settings(name="box", memory_mb=MEMORY_MB)
        self._revision = Revision(
            function="box", number=1, settings=settings, handler="main:handler", signature=Signature.EVENT_CONTEXT,
            artefact=MicroVm("box"),
        )  # fmt: skip
        options = ProcessOptions(start_timeout_s=TIMEOUT_S)
        self._runtime = MicroVmRuntime(store, MicroVmOptions(), options, place, SystemClock())
        self._news: asyncio.Queue[Report] = asyncio.Queue()
        self._count = 0

    async def open(self) -> None:
        await self._runtime.open(self._news.put_nowait)
        self._runtime.make_template("t", self._revision)
        report = await self._news.get()
        assert isinstance(report, TemplateReady), report

    async def close(self) -> None:
        await self._runtime.close()

    async def start(self) -> float:
        await asyncio.sleep(PAUSE_S)
        self._count += 1
        name = f"s{self._count}"
        began = time.perf_counter()
        self._runtime.make_sandbox(name, self._revision, "t")
        report = await self._news.get()
        took = time.perf_counter() - began
        assert isinstance(report, SandboxReady), report
        self._runtime.kill(name)
        assert isinstance(await self._news.get(), SandboxGone)
        return took


def measured(rounds: int, size: int) -> list[Round]:
    """Medians, in milliseconds."""

    async def run(place: Path) -> list[Round]:
        store = SharedCode(place)
        store.open()
        (store.code / "box").mkdir()
        (store.code / "box" / "main.py").write_text(CODE)
        ours, floor = Restoring(store, place / "microvms"), Booting(store, place / "microvms")
        await ours.open()
        try:
            await ours.start()
            found = []
            for _ in range(rounds):
                pairs = [(await ours.start(), await floor.start()) for _ in range(size)]
                both = [statistics.median(column) for column in zip(*pairs, strict=True)]
                found.append(Round(both[0] * 1e3, both[1] * 1e3))
            return found
        finally:
            await ours.close()

    if why := lacking(MicroVmOptions()):
        raise IsolationMissing(why, HINT)
    with tempfile.TemporaryDirectory(prefix="attacca-bench-") as place:
        return uvloop.run(run(Path(place)))


def microvm(rounds: int, size: int) -> Iterator[Result]:
    """starts of a micro-VM from its template until its agent is ready, against a boot of the same machine"""
    yield Result("start of a micro-VM from its template", "ms", "its boot", BAR, measured(rounds, size))


def main() -> None:
    for one in measured(2, int([*sys.argv, "5"][1])):
        print(f"{one.ours:6.1f} ms, its boot {one.floor:6.1f} ms, {one.ratio:.3f}")


if __name__ == "__main__":
    main()
