"""Containers that are created before anybody wants one, and begin when somebody does."""

import asyncio
import os

import msgspec
import pytest

from attacca.model.function import Revision
from attacca.model.image import UnpackedImage
from attacca.worker.core.reports import SandboxReady
from attacca.worker.runtime.bench import PATIENCE_S, Bench
from attacca.worker.runtime.conformance import Doing
from attacca.worker.runtime.container.sandbox import Container
from tests.live import needed, python_image
from tests.live.test_container_conformance import ContainerSubject

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> UnpackedImage:
    return python_image.unpacked(tmp_path_factory.mktemp("image"))


async def waiting(subject: ContainerSubject, revision: Revision) -> Container:
    """The one of that revision, once it has been created."""
    of = subject.runtime._ahead._of
    async with asyncio.timeout(PATIENCE_S):
        while (one := of.get(revision.function)) is None or not one.created.done() or one.revision != revision:  # noqa: ASYNC110 - it is told to nobody
            await asyncio.sleep(0.001)
    return one


async def gone(subject: ContainerSubject, one: Container) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while one in subject.runtime.containers.values():  # noqa: ASYNC110 - it is told to nobody
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("engine", ["crun", "runc"])
def test_who_comes_next_has_the_one_that_waits_and_another_is_created(image: UnpackedImage, engine: str) -> None:
    needed.expect(engine)

    async def main() -> None:
        subject = ContainerSubject(image, engine, pool=1)
        bench, echo = Bench(subject.runtime), subject.function(Doing.ECHO)
        await subject.runtime.open(bench.witness.hear)
        await bench.echo(await bench.sandbox(echo), echo)
        for _ in range(2):
            one = await waiting(subject, echo)
            name = await bench.sandbox(echo)
            assert (subject.runtime.containers[name], one.is_ahead, one.called != name) == (one, False, True)
            ready = await bench.born(name)
            assert isinstance(ready, SandboxReady)
            assert ready.made.network == 0
            await bench.echo(name, echo)
            bench.kill(name)
            await bench.gone(name)
        await subject.runtime.close()
        assert bench.witness.wrong == subject.leftovers() == []

    asyncio.run(main())


def test_one_that_ends_before_anybody_wants_it_is_nobodys_loss(image: UnpackedImage) -> None:
    needed.expect("crun")

    async def main() -> None:
        subject = ContainerSubject(image, "crun", pool=1)
        bench, echo = Bench(subject.runtime), subject.function(Doing.ECHO)
        other = msgspec.structs.replace(subject.function(Doing.ECHO, 2), function="other")
        await subject.runtime.open(bench.witness.hear)
        await bench.sandbox(echo)
        one = await waiting(subject, echo)
        await bench.sandbox(other)  # of which the next is to wait, and there is room for one
        await gone(subject, one)
        one = await waiting(subject, other)
        newer = msgspec.structs.replace(other, number=2)
        await bench.sandbox(newer)
        await gone(subject, one)
        one = await waiting(subject, newer)
        subject.runtime._say("kill", one.called)
        await gone(subject, one)
        name = await bench.sandbox(newer)
        await bench.echo(name, newer)
        await subject.runtime.close()
        assert bench.witness.wrong == subject.leftovers() == []

    asyncio.run(main())
