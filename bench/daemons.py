"""Containers by daemons beside their own tools, and a hundred at once.

python bench/daemons.py [MEASURE]       containerd, docker, hundred

The daemons are the bench's own, on private sockets. Each start is from the order until somebody listens on $PORT.
"""

import asyncio
import contextlib
import itertools
import json
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvloop

from attacca.images import layout
from attacca.images.build import Plan, build, python
from attacca.images.store import ImageStore
from attacca.model.function import Settings
from attacca.worker.host.network import Namespace, Networks
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.container.spec import resources, seccomp
from attacca.worker.runtime.process.options import ProcessOptions
from bench.containers import LOOK_S, PORT, PROGRAM, Floor, Ours
from bench.orders import PAUSE_S, in_turns
from bench.places import place
from bench.result import Result, Round
from tests.live.engines import daemons

NAME = "bench.local/box:1"
CROWD, FLIGHT = 100, 6  # containers at once; of a shell loop's, in flight
Daemon = Literal["containerd", "docker"]


@contextlib.asynccontextmanager
async def built(at: Path) -> AsyncIterator[tuple[ImageStore, str, Path]]:
    """A store, the digest of the image in it, and an archive of that."""
    images = ImageStore(at / "images", at / "tmp")
    images.open()
    digest, manifest = build(PROGRAM, python(images, at, lambda _: None), Plan(), images)
    archive = at / "image.tar"
    with archive.open("wb") as file:
        layout.write(file, images.blobs, digest, manifest, [NAME])
    yield images, digest.removeprefix("sha256:"), archive


def run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def until_served(connect: Callable[[], contextlib.AbstractContextManager[socket.socket]]) -> None:
    while True:
        with contextlib.suppress(OSError), connect() as sock:
            sock.connect(("127.0.0.1", PORT))
            return
        time.sleep(LOOK_S)


class ByCtr:
    """`ctr run` in a network namespace that was ready."""

    def __init__(self, at: str, archive: Path) -> None:
        self._ctr, self._names = ("ctr", "-a", at), (f"bench-{number}" for number in itertools.count())
        self._networks = Networks(2)
        run(*self._ctr, "images", "import", str(archive))
        self._networks.open()

    async def start(self) -> float:
        """Seconds."""
        network = await self._networks.take()
        await asyncio.sleep(PAUSE_S)
        took = await asyncio.to_thread(self._run, next(self._names), network)
        network.close()
        return took

    def _run(self, name: str, network: Namespace) -> float:
        space = f"network:/proc/{os.getpid()}/fd/{network.descriptor}"
        began = time.perf_counter()
        run(*self._ctr, "run", "-d", "--with-ns", space, "--env", f"PORT={PORT}", NAME, name)
        until_served(network.socket)
        took = time.perf_counter() - began
        run(*self._ctr, "tasks", "rm", "-f", name)
        run(*self._ctr, "containers", "rm", name)
        return took

    async def close(self) -> None:
        await self._networks.close()


class ByDocker:
    """`docker run -d`, without a network to anywhere, as our own containers have it."""

    def __init__(self, at: str, archive: Path) -> None:
        self._docker = ("docker", "-H", f"unix://{at}")
        self._networks = Networks(0)
        self._networks.open()
        run(*self._docker, "load", "-i", str(archive))

    async def start(self) -> float:
        """Seconds."""
        await asyncio.sleep(PAUSE_S)
        return await asyncio.to_thread(self._run)

    def _run(self) -> float:
        began = time.perf_counter()
        name = run(*self._docker, "run", "-d", "--network", "none", "-e", f"PORT={PORT}", NAME).strip()
        begun = time.perf_counter()
        pid = int(run(*self._docker, "inspect", "-f", "{{.State.Pid}}", name))
        network, looked = self._networks.of(pid), time.perf_counter() - begun
        assert network is not None
        until_served(network.socket)
        took = time.perf_counter() - began - looked
        network.close()
        run(*self._docker, "rm", "-f", name)
        return took

    async def close(self) -> None:
        await self._networks.close()


FLOORS: dict[Daemon, tuple[type[ByCtr] | type[ByDocker], str, float]] = {
    "containerd": (ByCtr, "ctr run", 0.85),
    "docker": (ByDocker, "docker run -d", 1.05),
}


def beside(kind: Daemon, rounds: int, size: int) -> list[Round]:
    """Medians, in milliseconds. They take turns."""

    async def all_of(where: Path, at: str) -> list[Round]:
        async with built(where) as (images, digest, archive):
            await images.rootfs(digest)
            options = ContainerOptions(engine=kind, containerd=at, docker=at)
            ours, floor = Ours(images, digest, options), FLOORS[kind][0](at, archive)
            await ours.open()
            try:
                for _ in range(2):
                    await ours.start(ours.revision)
                return await in_turns(partial(ours.start, ours.revision), floor.start, rounds, size)
            finally:
                await ours.close()
                await floor.close()

    with place() as where, daemons.running(kind, where / "daemon") as daemon:
        return uvloop.run(all_of(where, daemon.socket))


def crowd(rounds: int) -> list[Round]:
    """Containers a second, of a hundred that are wanted at once, beside the same by `runc run -d`, six in flight."""

    async def all_of(where: Path) -> list[Round]:
        async with built(where) as (images, digest, _):
            options = ContainerOptions(engine="runc", networks=CROWD)
            ours, floor = Ours(images, digest, options), Many(where, await images.rootfs(digest))
            await ours.open()
            floor.open()
            try:
                await ours.start(ours.revision)
                found = []
                for _ in range(rounds):
                    mine = await ours.start_all(CROWD, ours.revision)
                    found.append(Round(CROWD / mine, CROWD / await floor.start_all(CROWD)))
                return found
            finally:
                await ours.close()
                await floor.close()

    with place() as where:
        return uvloop.run(all_of(where))


class Many(Floor):
    """Each with a bundle of its own, and with the filter and the limits that ours have: a filter is a tenth of what
    runc has to do."""

    def spec(self, network: Namespace) -> dict[str, Any]:
        made = super().spec(network)
        settings, options = Settings(name="box"), ProcessOptions()
        bounds = {"seccomp": seccomp(platform.machine()), "resources": resources(settings, options.processes)}
        return made | {"linux": made["linux"] | bounds}

    async def start_all(self, count: int) -> float:
        """Seconds."""
        networks = [await self._networks.take() for _ in range(count)]
        places = [self._laid(number, network) for number, network in enumerate(networks)]
        await asyncio.sleep(1.0)
        began = time.perf_counter()
        with ThreadPoolExecutor(FLIGHT) as pool:
            await asyncio.gather(
                *(
                    asyncio.get_running_loop().run_in_executor(pool, self._started, *one)
                    for one in zip(places, networks, strict=True)
                )
            )
        took = time.perf_counter() - began
        for laid, network in zip(places, networks, strict=True):
            run("runc", "delete", "-f", laid.name)
            network.close()
        return took

    def _laid(self, number: int, network: Namespace) -> Path:
        place = self._place / f"many-{time.monotonic_ns()}-{number}"
        place.mkdir()
        (place / "config.json").write_text(json.dumps(self.spec(network)))
        return place

    @staticmethod
    def _started(place: Path, network: Namespace) -> None:
        words: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["runc", "run", "-d", "-b", str(place), place.name], check=True, **words)
        until_served(network.socket)


def by_daemons(rounds: int, size: int) -> Iterator[Result]:
    """starts of a container by each daemon until its port answers, against the daemon's own tool"""
    for kind, (_, floor, bar) in FLOORS.items():
        yield Result(f"start of a container by {kind}", "ms", floor, bar, beside(kind, rounds, size))


def at_once(rounds: int, _: int) -> Iterator[Result]:
    """a hundred containers by runc, wanted at once"""
    name = f"{CROWD} containers by runc at once"
    beside = f"runc run -d with the same filter and limits, {FLIGHT} in flight"
    yield Result(name, "/s", beside, 0.9, crowd(rounds), at_least=True)


def main() -> None:
    wanted = [*sys.argv, "containerd"][1]
    found = crowd(2) if wanted == "hundred" else beside("docker" if wanted == "docker" else "containerd", 2, 8)
    for one in found:
        print(f"{one.ours:6.1f}, beside {one.floor:6.1f}: {one.ratio:.2f}")


if __name__ == "__main__":
    main()
