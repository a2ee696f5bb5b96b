"""The container runtime does what every runtime must, with each engine."""

import asyncio
import glob
import os
from pathlib import Path

import pytest

from attacca.kernel.clock import SystemClock
from attacca.model.function import Image, Revision, Settings, Signature
from attacca.model.image import UnpackedImage
from attacca.worker.runtime.conformance import NEEDS, Doing, check_runtime
from attacca.worker.runtime.container.keeping import ENGINES
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.container.runtime import ContainerRuntime
from attacca.worker.runtime.process.lineage import children
from attacca.worker.runtime.process.options import ProcessOptions
from tests.live import needed, python_image

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")


class OneImage:
    def __init__(self, image: UnpackedImage) -> None:
        self._image = image

    def open(self) -> None: ...

    async def rootfs(self, digest: str) -> UnpackedImage:
        assert digest == self._image.digest
        return self._image


class ContainerSubject:
    cannot = (Doing.RAISE,)  # what its program raises is its own affair
    raises = ""

    def __init__(self, image: UnpackedImage, engine: str) -> None:
        self._before = len(os.listdir("/proc/self/fd"))
        options = ContainerOptions(engine=engine)  # type: ignore[arg-type]
        self.runtime = ContainerRuntime(OneImage(image), options, ProcessOptions(), SystemClock())

    def function(self, doing: Doing, concurrency: int = 1) -> Revision:
        name = f"{doing}-{concurrency}"
        return Revision(
            function=name,
            number=1,
            settings=Settings(name=name, concurrency=concurrency, memory_mb=64, env={"DOING": doing}),
            handler="python3",
            signature=Signature.WSGI,
            artefact=Image(python_image.DIGEST),
        )

    def leftovers(self) -> list[str]:
        processes = [f"process {pid}" for pid in children(os.getpid())]
        descriptors = len(os.listdir("/proc/self/fd")) - self._before
        ours = f"attacca-{os.getpid()}-*"
        left = [
            *glob.glob(f"/run/{ours}"),
            *glob.glob(f"/sys/fs/cgroup/{ours}"),
            *glob.glob(f"/sys/fs/cgroup/*/{ours}"),
        ]
        return processes + [f"{descriptors} descriptors"] * (descriptors > 0) + left


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> UnpackedImage:
    return python_image.unpacked(tmp_path_factory.mktemp("image"))


def test_it_says_what_it_holds(image: UnpackedImage) -> None:
    runtime = ContainerSubject(image, "crun").runtime
    assert repr(runtime) == "<ContainerRuntime 0 containers, <Networks 0 ready, 0 being made>, None>"


@pytest.mark.parametrize("engine", ENGINES)
def test_it_passes_all_checks_that_apply(engine: str, image: UnpackedImage, tmp_path: Path) -> None:
    needed.expect(engine)

    async def main() -> list[str]:
        await asyncio.sleep(0)
        await asyncio.to_thread(os.getpid)  # the loop's own thread is there
        return await check_runtime(lambda: ContainerSubject(image, engine))

    passed = asyncio.run(main())
    assert passed == [check.__name__ for check, needs in NEEDS.items() if Doing.RAISE not in needs]
