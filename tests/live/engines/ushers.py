"""Docker makes containers in networks that were there: ushers lead it there, and nobody is led to another's."""

import ast
import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from attacca.model.function import Revision
from attacca.model.image import UnpackedImage
from attacca.model.invocation import Ok
from attacca.worker.core.reports import SandboxReady
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.conformance import Doing
from attacca.worker.runtime.container.daemons import ushers
from attacca.worker.runtime.container.daemons.docker_api import DockerApi
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.process.lineage import children
from tests.live import python_image
from tests.live.engines.conformance import DaemonSubject
from tests.live.engines.daemons import Daemon, running
from tests.live.test_container_contracts import asks_for_its_events
from tests.logged import Logged

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")
WHERE = b"""
import os, socket
lines = open("/etc/hosts").read(), open("/etc/hostname").read()
said = os.readlink("/proc/self/ns/net"), socket.gethostname(), os.environ["HOSTNAME"], *lines
"""
MANY = 8


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> UnpackedImage:
    return python_image.unpacked(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running("docker", tmp_path_factory.mktemp("docker")) as daemon:
        yield daemon


def asks(subject: DaemonSubject) -> Revision:
    echo = subject.function(Doing.ECHO)
    settings = msgspec.structs.replace(echo.settings, name="asks", env={"DOING": "python"})
    return msgspec.structs.replace(echo, settings=settings)


async def place(bench: Bench, sandbox: str, revision: Revision) -> tuple[str, ...]:
    outcome = (await bench.ended(bench.run(sandbox, revision, WHERE))).outcome
    assert isinstance(outcome, Ok), outcome
    found: tuple[str, ...] = ast.literal_eval(outcome.body.decode())
    return found


async def names(daemon: Daemon) -> list[str]:
    """Of ushers that docker knows of."""
    found = await DockerApi(daemon.socket).ask("GET", "/containers/json", timeout_s=10.0, all="1")
    each = [one["Names"][0] for one in msgspec.json.decode(found)]
    return [name for name in each if "usher" in name]


def test_each_of_many_at_once_is_in_a_network_of_its_own_and_has_its_own_name(
    daemon: Daemon, image: UnpackedImage
) -> None:
    async def main() -> None:
        subject = DaemonSubject(image, "docker", docker=daemon.socket)
        bench, revision = Bench(subject.runtime), asks(subject)
        await subject.runtime.open(bench.witness.hear)
        started = [bench.make(revision) for _ in range(MANY)]
        for name in started:
            assert isinstance(await bench.born(name), SandboxReady)
        found = [await place(bench, name, revision) for name in started]
        assert len({space for space, *_ in found}) == MANY
        assert os.readlink("/proc/self/ns/net") not in {space for space, *_ in found}
        for _, *said, hosts, name in found:
            assert said == ["asks", "asks"]
            assert (hosts, name) == ("127.0.0.1\tlocalhost\n::1\tlocalhost\n", "asks\n")
        async with asyncio.timeout(30):
            while len(await names(daemon)) > ushers.KEPT:  # noqa: ASYNC110 - docker says it to nobody
                await asyncio.sleep(0.05)
        await subject.runtime.close()
        assert bench.witness.wrong == subject.leftovers() == await names(daemon) == []

    asyncio.run(main())


def test_an_image_asks_for_its_events_over_the_loopback_that_it_is_led_to(daemon: Daemon, tmp_path: Path) -> None:
    asks_for_its_events(tmp_path, ContainerOptions(engine="docker", docker=daemon.socket))


def test_an_usher_that_is_gone_is_made_anew(daemon: Daemon, image: UnpackedImage) -> None:
    async def main() -> None:
        subject = DaemonSubject(image, "docker", docker=daemon.socket)
        bench, revision = Bench(subject.runtime), asks(subject)
        await subject.runtime.open(bench.witness.hear)
        first = await place(bench, await bench.sandbox(revision), revision)
        (usher,) = await names(daemon)
        await DockerApi(daemon.socket).ask("POST", f"/containers{usher}/kill", timeout_s=10.0)
        assert await place(bench, await bench.sandbox(revision), revision) != first
        assert usher not in await names(daemon)
        await subject.runtime.close()
        assert bench.witness.wrong == subject.leftovers() == []

    asyncio.run(main())


def test_where_there_can_be_none_docker_makes_networks_and_less_can_be_had(
    daemon: Daemon, image: UnpackedImage, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    monkeypatch.setattr(ushers, "COME_S", 0.5)
    monkeypatch.setattr(ushers, "PROGRAM", Path("/dev/null"))

    async def main() -> None:
        subject = DaemonSubject(image, "docker", docker=daemon.socket)
        bench, revision = Bench(subject.runtime), asks(subject)
        await subject.runtime.open(bench.witness.hear)
        first = await place(bench, await bench.sandbox(revision), revision)
        assert first[1:3] == ("asks", "asks")
        assert await place(bench, await bench.sandbox(revision), revision) != first
        await subject.runtime.close()
        assert bench.witness.wrong == subject.leftovers() == await names(daemon) == []

    before = set(children(os.getpid()))
    asyncio.run(main())
    assert any("docker makes the networks of containers itself" in one for one in logged.messages)
    assert set(children(os.getpid())) <= before
