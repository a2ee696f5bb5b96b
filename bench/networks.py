"""Starts with a way out (`network = "nat"`) beside starts without a network, by the worker's runtimes.

python bench/networks.py [STARTS]

From the order until the sandbox is ready: of Python from its template, and of a container by crun until its port
answers. Both take turns, on a machine of the bench's own: in a network namespace that goes with this process.
"""

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvloop

from attacca.images.build import Plan, build, python
from attacca.images.store import ImageStore
from attacca.kernel.clock import SystemClock
from attacca.model.function import Image, Network, PythonDirectory, Revision, Settings, Signature
from attacca.worker.host import network
from attacca.worker.host.nat.options import NatOptions
from attacca.worker.host.nat.outside import Nat
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.container.runtime import ContainerRuntime
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from attacca.worker.runtime.types import Runtime
from bench.orders import Orders, in_turns
from bench.places import place
from bench.result import Result, Round

PROGRAM = Path(__file__).parent / "functions" / "container"
HANDLER = "def handler(event, context): return event\n"
BARS = {"Python from its template": 2.5, "a container by crun": 1.15}


class Starts(Orders):
    """Of one runtime; `revision` makes what is started."""

    def __init__(self, runtime: Runtime, revision: Callable[[Network], Revision], *, is_forked: bool) -> None:
        super().__init__(runtime)
        self._revision, self._is_forked = revision, is_forked
        self._templates: dict[Network, str] = {}

    async def open(self) -> None:
        await super().open()
        for mode in (Network.NONE, Network.NAT) if self._is_forked else ():
            self._templates[mode] = f"t-{mode}"
            await self.make_template(f"t-{mode}", self._revision(mode))

    async def with_network(self, mode: Network) -> float:
        """Seconds."""
        return await self.start(self._revision(mode), self._templates.get(mode))


def processes(at: Path) -> Starts:
    (at / "code" / "f").mkdir(parents=True)
    (at / "code" / "f" / "main.py").write_text(HANDLER)

    def revision(mode: Network) -> Revision:
        return Revision(
            function="f", number=1, settings=Settings(name="f", network=mode), handler="main:handler",
            signature=Signature.EVENT_CONTEXT, artefact=PythonDirectory("f"),
        )  # fmt: skip

    options = ProcessOptions(memory_limits="watch")
    runtime = ProcessRuntime(SharedCode(at), options, SystemClock(), nat=Nat(NatOptions()))
    return Starts(runtime, revision, is_forked=True)


def containers(at: Path) -> Starts:
    images = ImageStore(at / "images", at / "tmp")
    images.open()
    digest, _ = build(PROGRAM, python(images, at, lambda _: None), Plan(), images)

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

    async def run(at: Path) -> list[Round]:
        starts = make(at)
        await starts.open()
        both = partial(starts.with_network, Network.NAT), partial(starts.with_network, Network.NONE)
        try:
            for _ in range(3):
                await both[0]()
            return await in_turns(*both, rounds, size)
        finally:
            await starts.close()

    with place() as at:
        machine, home = network.made(), network.home()
        try:
            with network.enter(machine, home):
                return uvloop.run(run(at))
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
