"""Containers that a daemon starts do what every runtime's must."""

import asyncio
import gc
import os
from collections.abc import Iterator

import pytest

from attacca.model.function import Network
from attacca.model.image import UnpackedImage
from attacca.worker.runtime.conformance import NEEDS, Doing, check_runtime
from tests.live import python_image
from tests.live.engines.daemons import Daemon, running
from tests.live.test_container_conformance import ContainerSubject

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")
DAEMONS = ("containerd", "docker")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> UnpackedImage:
    return python_image.unpacked(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module", params=DAEMONS)
def daemon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(request.param, tmp_path_factory.mktemp(request.param)) as daemon:
        yield daemon


class DaemonSubject(ContainerSubject):
    """What it prints passes through the daemon, and may come after its answer."""

    cannot = (Doing.RAISE, Doing.PRINT)

    def leftovers(self) -> list[str]:
        gc.collect()  # gRPC has two descriptors for a channel until nothing refers to it, also where it is closed
        return super().leftovers()

    @property
    def networks(self) -> dict[Network, list[str]]:
        """The daemons are on a machine of the tests' own, whose network is not ours."""
        return {Network.NONE: ["lo"]}


def test_it_passes_all_checks_that_apply(daemon: Daemon, image: UnpackedImage) -> None:
    async def main() -> list[str]:
        await asyncio.to_thread(os.getpid)  # the loop's own thread is there
        return await check_runtime(lambda: DaemonSubject(image, daemon.kind, **{daemon.kind: daemon.socket}))

    passed = asyncio.run(main())
    left_out = {Doing.RAISE, Doing.PRINT}
    assert passed == [check.__name__ for check, needs in NEEDS.items() if not left_out & set(needs)]
