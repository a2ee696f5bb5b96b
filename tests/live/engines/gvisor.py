"""Containers in gVisor's kernel do what every runtime's must."""

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from attacca.model.image import UnpackedImage
from attacca.model.invocation import Ok
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.conformance import NEEDS, Doing, check_runtime
from tests.live import needed, outside, python_image
from tests.live.test_container_conformance import ContainerSubject, rests_and_is_thawed
from tests.live.test_containers import deploy, left, processes, run
from tests.live.whole import CGROUPS, running, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> UnpackedImage:
    return python_image.unpacked(tmp_path_factory.mktemp("image"))


def test_it_passes_all_checks_that_apply(image: UnpackedImage, tmp_path: Path) -> None:
    needed.expect("runsc")

    async def main() -> list[str]:
        await asyncio.to_thread(os.getpid)  # the loop's own thread is there
        return await check_runtime(lambda: ContainerSubject(image, "runsc"))

    with outside.outside():
        passed = asyncio.run(main())
    assert passed == [check.__name__ for check, needs in NEEDS.items() if Doing.RAISE not in needs]


def is_its(release: bytes) -> bool:
    """What versions of its kernel say that they are, and the machine's does not."""
    return (release == b"'4.4.0'" or b"gvisor" in release) and release.decode() != repr(os.uname().release)


def test_its_kernel_is_not_the_machines_and_is_in_groups_of_ours(image: UnpackedImage) -> None:
    needed.expect("runsc")

    async def main() -> None:
        subject = ContainerSubject(image, "runsc", pool=0)
        bench, echo = Bench(subject.runtime), subject.function(Doing.ECHO)
        settings = msgspec.structs.replace(echo.settings, memory_mb=256, env={"DOING": "python"})
        revision = msgspec.structs.replace(echo, settings=settings)
        await subject.runtime.open(bench.witness.hear)
        sandbox = await bench.sandbox(revision)
        groups = [*CGROUPS.glob(f"memory/attacca-{os.getpid()}-*/*/memory.limit_in_bytes")]
        groups += CGROUPS.glob(f"attacca-{os.getpid()}-*/*/memory.max")
        assert [int(one.read_text()) for one in groups] == [256 << 20]
        assert (groups[0].parent / "cgroup.procs").read_text().split()
        ended = await bench.ended(bench.run(sandbox, revision, b"import os\nsaid = os.uname().release"))
        assert isinstance(ended.outcome, Ok)
        assert is_its(ended.outcome.body)
        await subject.runtime.close()
        assert bench.witness.wrong == subject.leftovers() == []

    asyncio.run(main())


def test_one_that_rests_is_frozen_and_thawed_by_whoever_asks(image: UnpackedImage) -> None:
    needed.expect("runsc")
    rests_and_is_thawed(image, "runsc")


def test_nothing_is_left_of_a_server_that_was_killed(tmp_path: Path) -> None:
    needed.expect("runsc")
    layout = python_image.laid_out(tmp_path / "image", "python")
    with running(tmp_path / "state", "--set", "container.engine=runsc") as server:
        deploy(server, layout, "box")
        assert is_its(run(server, "said = os.uname().release").body)
        assert len(processes(server.pid)) > 0
        server.kill()
        until(lambda: not left(server.pid), "nothing is left of it")
        assert processes(server.pid) == []
