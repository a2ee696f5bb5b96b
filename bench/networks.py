"""Starts with a way out (`network = "nat"`) beside starts without a network, by the worker's runtimes.

python bench/networks.py [STARTS]

From the order until the sandbox is ready: of Python from its template, and of a container by crun until its port
answers. Both take turns, on a machine of the bench's own: in a network namespace that goes with this process.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvloop

from attacca.images.build import Plan, build, python
from attacca.images.store import ImageStore
from attacca.kernel.clock import SystemClock
from attacca.model.function import Image, Network, PythonDirectory, Revision, Settings, Signature
from attacca.worker.core.reports import Report, SandboxGone, SandboxReady, TemplateReady
from attacca.worker.host import network
from attacca.worker.host.nat.options import NatOptions
from attacca.worker.host.nat.outside import Nat
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.container.runtime import ContainerRuntime
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from attacca.worker.runtime.types import Runtime
from bench.result import Result, Round

PROGRAM = Path(__file__).parent / "functions" / "container"
HANDLER = "def handler(event, context): return event\n"
PAUSE_S = 0.05  # the next place, and the next network, are there
BARS = {"Python from its template": 2.5, "a container by crun": 1.15}


class Starts:
    """Of one runtime; `revision` makes what is started."""

    def __init__(self, runtime: Runtime, revision: Callable[[Network], Revision], *, is_forked: bool) -> None:
        self._runtime, self._revision, self._is_forked = runtime, revision, is_forked
        self._news: asyncio.Queue[Report] = asyncio.Queue()
        self._templates: dict[Network, str] = {}
        self._count = 0

    async def open(self) -> None:
        await self._runtime.open(self._news.put_nowait)
        for mode in (Network.NONE, Network.NAT) if self._is_forked else ():
            self._templates[mode] = f"t-{mode}"
            self._runtime.make_template(f"t-{mode}", self._revision(mode))
            report = await self._news.get()
            assert isinstance(report, TemplateReady), report

    async def close(self) -> None:
        await self._runtime.close()

    async def start(self, mode: Network) -> float:
        """Seconds."""
        await asyncio.sleep(PAUSE_S)
        self._count += 1
        name = f"s{self._count}"
        began = time.perf_counter()
        self._runtime.make_sandbox(name, self._revision(mode), self._templates.get(mode))
        report = await self._news.get()
        took = time.perf_counter() - began
        assert isinstance(report, SandboxReady), report
        self._runtime.kill(name)
        assert isinstance(await self._news.get(), SandboxGone)
        return took


def processes(place: Path) -> Starts:
    (place / "code" / "f").mkdir(parents=True)
    (place / "code" / "f" / "main.py").write_text(HANDLER)

    def revision(mode: Network) -> Revision:
        return Revision(
            function="f", number=1, settings=Settings(name="f", network=mode), handler="main:handler",
            signature=Signature.EVENT_CONTEXT, artefact=PythonDirectory("f"),
        )  # fmt: skip

    options = ProcessOptions(memory_limits="watch")
    runtime = ProcessRuntime(SharedCode(place), options, SystemClock(), nat=Nat(NatOptions()))
    return Starts(runtime, revision, is_forked=True)


def containers(place: Path) -> Starts:
    images = ImageStore(place / "images", place / "tmp")
    images.open()
    digest, _ = build(PROGRAM, python(images, place, lambda _: None), Plan(), images)

    def revision(mode: Network) -> Revision:
        return Revision(
            function="box", number=1, settings=Settings(name="box", network=mode), handler="",
            signature=Signature.WSGI, artefact=Image(digest.removeprefix("sha256:")),
        )  # fmt: skip

    options = ContainerOptions(engine="crun")
    return Starts(
        ContainerRuntime(images, options, ProcessOptions(), SystemClock(), nat=Nat(NatOptions())),
        revision,
        is_forked=False,
    )


def measured(make: Callable[[Path], Starts], rounds: int, size: int) -> list[Round]:
    """Medians, in milliseconds."""

    async def run(place: Path) -> list[Round]:
        starts = make(place)
        await starts.open()
        try:
            for _ in range(3):
                await starts.start(Network.NAT)
            found = []
            for _ in range(rounds):
                pairs = [(await starts.start(Network.NAT), await starts.start(Network.NONE)) for _ in range(size)]
                both = [statistics.median(column) for column in zip(*pairs, strict=True)]
                found.append(Round(both[0] * 1e3, both[1] * 1e3))
            return found
        finally:
            await starts.close()

    with tempfile.TemporaryDirectory(prefix="attacca-bench-") as place:
        Path(place).chmod(0o755)
        machine, home = network.made(), network.home()
        try:
            with network.enter(machine, home):
                return uvloop.run(run(Path(place)))
        finally:
            os.close(machine)
            os.close(home)


def networks(rounds: int, size: int) -> Iterator[Result]:
    """starts with a way out, network = "nat", against those without a network"""
    for (name, bar), make in zip(BARS.items(), (processes, containers), strict=True):
        found = measured(make, rounds, size)
        yield Result(f'start of {name}, network = "nat"', "ms", 'network = "none"', bar, found)


def main() -> None:
    size = int([*sys.argv, "20"][1])
    for result in networks(3, size):
        for one in result.rounds:
            print(f"{result.name}: {one.ours:.2f} ms, none {one.floor:.2f} ms, {one.ratio:.2f}")


if __name__ == "__main__":
    main()
