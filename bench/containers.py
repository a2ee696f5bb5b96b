"""Starts of containers by the worker's runtime, beside the bare engine: `runc run` of the same image.

python bench/containers.py [ENGINE] [STARTS]

From the order until somebody listens on $PORT, in a network namespace that was ready. The floor is what `runc spec`
writes, with the image's command and that namespace in it, started by `runc run -d` and looked at each millisecond.
They take turns.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvloop

from attacca.images.build import Plan, build, python
from attacca.images.store import ImageStore
from attacca.kernel.clock import SystemClock
from attacca.model.function import Image, Revision, Settings, Signature
from attacca.model.image import UnpackedImage
from attacca.worker.host.network import Namespace, Networks
from attacca.worker.runtime.container.keeping import ENGINES, PLACES, engine_of
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.container.runtime import ContainerRuntime
from attacca.worker.runtime.process.options import ProcessOptions
from bench.orders import PAUSE_S, Orders, in_turns
from bench.places import place
from bench.result import Result, Round

PROGRAM = Path(__file__).parent / "functions" / "container"
PORT, LOOK_S = 8080, 0.001
BARS = {"crun": 0.85, "runc": 1.15}


class Floor:
    """The bare engine."""

    def __init__(self, place: Path, image: UnpackedImage) -> None:
        self._place, self._image = place, image
        self._networks = Networks(2)
        self._count = 0

    def open(self) -> None:
        self._networks.open()
        environment = {"PATH": PLACES}
        subprocess.run(["runc", "spec"], cwd=self._place, check=True, env=environment)
        self._spec: dict[str, Any] = json.loads((self._place / "config.json").read_text())
        self._spec["root"]["path"] = self._image.rootfs
        process = self._spec["process"]
        process["terminal"], process["args"] = False, list(self._image.config.command)
        process["env"] = [*(self._image.config.env or ()), f"PORT={PORT}"]

    async def close(self) -> None:
        await self._networks.close()

    async def start(self) -> float:
        """Seconds."""
        network = await self._networks.take()
        await asyncio.sleep(PAUSE_S)
        self._count += 1
        name = f"bench-{self._count}-{time.monotonic_ns()}"
        (self._place / "config.json").write_text(json.dumps(self.spec(network)))
        took = await asyncio.to_thread(self._run, name, network)
        network.close()
        return took

    def spec(self, network: Namespace) -> dict[str, Any]:
        spaces = [one for one in self._spec["linux"]["namespaces"] if one["type"] != "network"]
        spaces.append({"type": "network", "path": f"/proc/{os.getpid()}/fd/{network.descriptor}"})
        return self._spec | {"linux": self._spec["linux"] | {"namespaces": spaces}}

    def _run(self, name: str, network: Namespace) -> float:
        began = time.perf_counter()
        command = ["runc", "run", "-d", "-b", str(self._place), name]
        silence = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, check=True, **cast(Any, silence))
        while True:
            with contextlib.suppress(OSError), network.socket() as sock:
                sock.connect(("127.0.0.1", PORT))
                break
            time.sleep(LOOK_S)
        took = time.perf_counter() - began
        subprocess.run(["runc", "delete", "-f", name], check=True)
        return took


class Ours(Orders):
    """The runtime of a worker."""

    def __init__(self, images: ImageStore, digest: str, options: ContainerOptions) -> None:
        super().__init__(ContainerRuntime(images, options, ProcessOptions(), SystemClock()))
        self.revision = Revision(
            function="box", number=1, settings=Settings(name="box"), handler="", signature=Signature.WSGI,
            artefact=Image(digest),
        )  # fmt: skip


def measured(engine: Literal["crun", "runc"], rounds: int, size: int) -> list[Round]:
    """Medians, in milliseconds."""

    async def run(at: Path) -> list[Round]:
        images = ImageStore(at / "images", at / "tmp")
        images.open()
        digest, _ = build(PROGRAM, python(images, at, lambda _: None), Plan(), images)
        digest = digest.removeprefix("sha256:")
        ours, floor = Ours(images, digest, ContainerOptions(engine=engine)), Floor(at, await images.rootfs(digest))
        floor.open()
        await ours.open()
        try:
            for _ in range(3):
                await ours.start(ours.revision)
            return await in_turns(partial(ours.start, ours.revision), floor.start, rounds, size)
        finally:
            await ours.close()
            await floor.close()

    with place() as at:
        return uvloop.run(run(at))


def container(rounds: int, size: int) -> Iterator[Result]:
    """starts of a container by each engine until its port answers, against runc run"""
    for engine in ENGINES:
        engine_of(engine)
        found = measured(cast(Literal["crun", "runc"], engine), rounds, size)
        yield Result(f"start of a container by {engine}", "ms", "runc run", BARS[engine], found)


def main() -> None:
    engine, size = [*sys.argv, "crun", "20"][1:2][0], int([*sys.argv, "20", "20"][min(len(sys.argv), 2)])
    for one in measured(cast(Literal["crun", "runc"], engine), 3, size):
        print(f"{one.ours:6.1f} ms, runc run {one.floor:6.1f} ms, {one.ratio:.2f}")


if __name__ == "__main__":
    main()
