"""The container runtime does what every runtime must, with each engine."""

import asyncio
import glob
import json
import os
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attacca.kernel.clock import SystemClock
from attacca.model.function import Image, Network, Revision, Settings, Signature
from attacca.model.image import UnpackedImage
from attacca.worker.core.reports import SandboxFailed, SandboxReady
from attacca.worker.host import netlink
from attacca.worker.runtime.bench import PATIENCE_S, Bench
from attacca.worker.runtime.conformance import NEEDS, Doing, check_runtime
from attacca.worker.runtime.container.keeping import ENGINES, Keeping
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.container.runtime import ContainerRuntime
from attacca.worker.runtime.process.lineage import children
from attacca.worker.runtime.process.options import ProcessOptions
from tests.live import needed, outside, python_image
from tests.live.whole import CGROUPS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")


class OneImage:
    def __init__(self, image: UnpackedImage) -> None:
        self._image = image

    def open(self) -> None: ...

    async def rootfs(self, digest: str) -> UnpackedImage:
        assert digest == self._image.digest
        return self._image


class ContainerSubject:
    cannot: tuple[Doing, ...] = (Doing.RAISE,)  # what its program raises is its own affair
    raises = ""

    @property
    def networks(self) -> dict[Network, list[str]]:
        modes = {Network.NONE: ["lo"], Network.HOST: sorted(netlink.links())}
        return modes if needed.is_left_out("nft") else {**modes, Network.NAT: ["eth0", "lo"]}

    def __init__(self, image: UnpackedImage, engine: str, **options: Any) -> None:
        self._before, self._others = len(os.listdir("/proc/self/fd")), set(children(os.getpid()))
        told = msgspec.convert({"engine": engine, **options}, ContainerOptions)
        self.runtime = ContainerRuntime(OneImage(image), told, ProcessOptions(), SystemClock())

    def function(self, doing: Doing, concurrency: int = 1, network: Network = Network.NONE) -> Revision:
        name = f"{doing}-{concurrency}-{network}"
        return Revision(
            function=name,
            number=1,
            settings=Settings(name=name, concurrency=concurrency, memory_mb=64, env={"DOING": doing}, network=network),
            handler="python3",
            signature=Signature.WSGI,
            artefact=Image(python_image.DIGEST),
        )

    def leftovers(self) -> list[str]:
        processes = [f"process {pid}" for pid in children(os.getpid()) if pid not in self._others]
        descriptors = len(os.listdir("/proc/self/fd")) - self._before
        ours = f"attacca-{os.getpid()}-*"
        left = [
            *glob.glob(f"/run/{ours}"),
            *glob.glob(f"/sys/fs/cgroup/{ours}"),
            *glob.glob(f"/sys/fs/cgroup/*/{ours}"),
        ]
        return processes + [f"{descriptors} descriptors"] * (descriptors > 0) + left + outside.left()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> UnpackedImage:
    return python_image.unpacked(tmp_path_factory.mktemp("image"))


def test_it_says_what_it_holds(image: UnpackedImage) -> None:
    runtime = ContainerSubject(image, "crun").runtime
    assert repr(runtime) == "<ContainerRuntime 0 containers, <Networks 0 ready, 0 being made>, None>"


def test_one_that_rests_is_frozen_and_thawed_by_whoever_asks(image: UnpackedImage) -> None:
    needed.expect("crun")
    rests_and_is_thawed(image, "crun")


def rests_and_is_thawed(image: UnpackedImage, engine: str) -> None:
    async def main() -> None:
        subject = ContainerSubject(image, engine, pause_after_s=0.0, pool=0)
        bench, echo = Bench(subject.runtime), subject.function(Doing.ECHO)
        await subject.runtime.open(bench.witness.hear)
        sandbox = await bench.sandbox(echo)
        for _ in range(3):
            async with asyncio.timeout(PATIENCE_S):
                while not is_frozen():  # noqa: ASYNC110 - the kernel says it to nobody
                    await asyncio.sleep(0.001)
            assert f"<Container {sandbox} paused, 0 running" in repr(subject.runtime.containers)
            await bench.echo(sandbox, echo)
        await subject.runtime.close()
        assert bench.witness.wrong == subject.leftovers() == []

    asyncio.run(main())


def test_who_never_listens_is_given_up(image: UnpackedImage) -> None:
    needed.expect("crun")

    async def main() -> None:
        subject = ContainerSubject(image, "crun")
        shared = ProcessOptions(start_timeout_s=1.0)
        runtime = ContainerRuntime(OneImage(image), ContainerOptions(engine="crun"), shared, SystemClock())
        bench, echo = Bench(runtime), subject.function(Doing.ECHO)
        deaf = msgspec.structs.replace(echo, settings=Settings(name="deaf", env={"DOING": "deaf"}))
        await runtime.open(bench.witness.hear)
        failed = await bench.gone(bench.make(deaf))
        assert isinstance(failed, SandboxFailed)
        assert (failed.code, failed.traceback) == ("timeout", "")
        assert "nobody listened on port 8080 within 1 s" in failed.message
        await runtime.close()
        assert bench.witness.wrong == []

    asyncio.run(main())


class Slow(OneImage):
    async def rootfs(self, digest: str) -> UnpackedImage:
        await asyncio.Event().wait()
        return await super().rootfs(digest)


def test_one_whose_image_is_still_being_unpacked_is_not_said_not_to_listen(image: UnpackedImage) -> None:
    needed.expect("crun")

    async def main() -> None:
        shared = ProcessOptions(start_timeout_s=0.5)
        runtime = ContainerRuntime(Slow(image), ContainerOptions(engine="crun"), shared, SystemClock())
        bench = Bench(runtime)
        await runtime.open(bench.witness.hear)
        failed = await bench.gone(bench.make(ContainerSubject(image, "crun").function(Doing.ECHO)))
        assert isinstance(failed, SandboxFailed)
        assert failed.code == "timeout"
        assert failed.message.startswith("its image was not unpacked within 0.5 s")
        await runtime.close()
        assert bench.witness.wrong == []

    asyncio.run(main())


def test_one_that_is_still_waited_for_keeps_no_worker_from_its_end(image: UnpackedImage) -> None:
    needed.expect("crun")

    async def main() -> None:
        subject = ContainerSubject(image, "crun")
        bench, echo = Bench(subject.runtime), subject.function(Doing.ECHO)
        deaf = msgspec.structs.replace(echo, settings=Settings(name="deaf", env={"DOING": "deaf"}))
        await subject.runtime.open(bench.witness.hear)
        name = bench.make(deaf)
        async with asyncio.timeout(PATIENCE_S):
            while not subject.runtime.containers[name].started_at:  # noqa: ASYNC110 - it is told to nobody
                await asyncio.sleep(0.001)
            await subject.runtime.close()
        assert isinstance(await bench.gone(name), SandboxFailed)
        assert bench.witness.wrong == subject.leftovers() == []

    asyncio.run(main())


def test_orders_that_its_keeper_cannot_take_yet_wait_in_their_order() -> None:
    async def main() -> None:
        keeping = Keeping("/usr/bin/crun", lambda _: None, lambda: None)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(0)
        theirs.settimeout(PATIENCE_S)
        keeping._orders = ours  # as of one that is open
        spec = {"padding": "x" * 20_000}
        for number in range(50):
            keeping.start(str(number), spec, "/", {}, [0])
        assert " orders wait>" in repr(keeping)

        def heard() -> list[str]:
            names = []
            for _ in range(50):
                raw, descriptors, _, _ = socket.recv_fds(theirs, 100_000, 1)
                os.close(descriptors[0])
                names.append(json.loads(raw)["start"])
            return names

        assert await asyncio.to_thread(heard) == [str(number) for number in range(50)]
        keeping.say("kill", "0")
        assert json.loads(await asyncio.to_thread(theirs.recv, 100)) == {"do": "kill", "name": "0"}
        assert repr(keeping).endswith("0 orders wait>")
        await keeping.close()
        theirs.close()

    asyncio.run(main())


def test_many_at_once_are_all_there(image: UnpackedImage) -> None:
    needed.expect("crun")

    async def main() -> None:
        subject = ContainerSubject(image, "crun")
        bench, echo = Bench(subject.runtime), subject.function(Doing.ECHO)
        await subject.runtime.open(bench.witness.hear)
        for sandbox in [bench.make(echo) for _ in range(15)]:
            assert isinstance(await bench.born(sandbox), SandboxReady)
        await subject.runtime.close()
        assert bench.witness.wrong == []

    asyncio.run(main())


def is_frozen(worker: int = 0, awake: int = 0) -> bool:
    """As the kernel has it, in either version of cgroups; but for `awake` that are none of a function's."""
    mark = f"attacca-{worker or os.getpid()}-*/*"
    states = [*CGROUPS.glob(f"freezer/{mark}/freezer.state")]
    if states:
        return sum(one.read_text() != "FROZEN\n" for one in states) <= awake < len(states)
    return any("frozen 1" in one.read_text() for one in CGROUPS.glob(f"{mark}/cgroup.events"))


@pytest.mark.parametrize("engine", ENGINES)
def test_it_passes_all_checks_that_apply(engine: str, image: UnpackedImage, tmp_path: Path) -> None:
    needed.expect(engine)

    async def main() -> list[str]:
        await asyncio.sleep(0)
        await asyncio.to_thread(os.getpid)  # the loop's own thread is there
        return await check_runtime(lambda: ContainerSubject(image, engine))

    if not needed.is_left_out("nft"):
        needed.expect("nft")
    with outside.outside():
        passed = asyncio.run(main())
    assert passed == [check.__name__ for check, needs in NEEDS.items() if Doing.RAISE not in needs]
