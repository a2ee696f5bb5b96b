"""Daemons that are killed, restarted and stopped while containers run; workers that are killed; and what is left."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.model.image import UnpackedImage
from attacca.worker.core.reports import SandboxFailed, SandboxReady
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.conformance import Doing
from tests.live import python_image
from tests.live.engines.conformance import DAEMONS, DaemonSubject
from tests.live.engines.daemons import Daemon, running

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")
PATIENCE_S, NAP_S = 60.0, 0.05
CGROUPS = Path("/sys/fs/cgroup")
WORKER = """
import asyncio, sys
from pathlib import Path
from attacca.model.image import ImageConfig, UnpackedImage
from attacca.worker.core.reports import SandboxReady
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.conformance import Doing
from tests.live import python_image
from tests.live.engines.conformance import DaemonSubject

async def main(kind, socket, rootfs, command):
    image = UnpackedImage(python_image.DIGEST, rootfs, ImageConfig(entrypoint=tuple(command.split()), user="somebody"))
    subject = DaemonSubject(image, kind, **{kind: socket})
    bench = Bench(subject.runtime)
    await subject.runtime.open(bench.witness.hear)
    echo = subject.function(Doing.ECHO)
    for name in [bench.make(echo) for _ in range(3)]:
        assert isinstance(await bench.born(name), SandboxReady)
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> UnpackedImage:
    return python_image.unpacked(tmp_path_factory.mktemp("image"))


@pytest.fixture(params=DAEMONS)
def daemon(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Daemon]:
    with running(request.param, tmp_path / "daemon") as daemon:
        yield daemon


def until(is_so: object, what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so():  # type: ignore[operator]  # a test's own
        assert time.monotonic() < end, what
        time.sleep(NAP_S)


def left(pid: int) -> list[str]:
    mark = f"attacca-{pid}-*"
    found = [*Path("/run").glob(mark), *CGROUPS.glob(mark), *CGROUPS.glob(f"*/{mark}")]
    return [str(one) for one in found]


def test_one_that_is_killed_and_comes_back_finds_what_runs(daemon: Daemon, image: UnpackedImage) -> None:
    """containerd's containers go on meanwhile; dockerd ends its own when it comes back."""

    async def main() -> None:
        subject = DaemonSubject(image, daemon.kind, **{daemon.kind: daemon.socket})
        bench, echo = Bench(subject.runtime), subject.function(Doing.ECHO)
        await subject.runtime.open(bench.witness.hear)
        sandbox = await bench.sandbox(echo)
        await asyncio.to_thread(daemon.end, signal.SIGKILL)
        await bench.echo(sandbox, echo)
        refused = await bench.born(bench.make(echo))
        assert isinstance(refused, SandboxFailed), refused
        assert refused.code == "start_failed"
        assert "try again" in refused.message
        assert refused.traceback == ""  # so it is tried again
        await asyncio.to_thread(daemon.start)
        if daemon.kind == "containerd":
            await bench.echo(sandbox, echo)
        else:
            bench.kill(sandbox)
        await bench.echo(await bench.sandbox(echo), echo)
        bench.kill(sandbox)
        await bench.gone(sandbox)
        await subject.runtime.close()
        assert bench.witness.wrong == subject.leftovers() == []

    asyncio.run(main())
    until(lambda: not left(os.getpid()), "something is left")
    until(lambda: not [*daemon.living(), *(daemon.below.living() if daemon.below else [])], "shims are left")


def test_one_that_is_stopped_under_load_is_waited_for(daemon: Daemon, image: UnpackedImage) -> None:
    async def main() -> None:
        subject = DaemonSubject(image, daemon.kind, **{daemon.kind: daemon.socket})
        bench, echo = Bench(subject.runtime), subject.function(Doing.ECHO)
        await subject.runtime.open(bench.witness.hear)
        sandbox = await bench.sandbox(echo)
        os.kill(daemon.pid, signal.SIGSTOP)
        try:
            started = [bench.make(echo) for _ in range(3)]
            for _ in range(5):
                await bench.echo(sandbox, echo)
        finally:
            os.kill(daemon.pid, signal.SIGCONT)
        for name in started:
            assert isinstance(await bench.born(name), SandboxReady)
        await subject.runtime.close()
        assert bench.witness.wrong == subject.leftovers() == []

    asyncio.run(main())


def test_a_worker_that_is_killed_leaves_nothing_running(daemon: Daemon, image: UnpackedImage, tmp_path: Path) -> None:
    assert image.config.entrypoint is not None
    (tmp_path / "worker.py").write_text(WORKER)
    words = [daemon.kind, daemon.socket, image.rootfs, " ".join(image.config.entrypoint)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "worker.py"), *words], stdout=subprocess.PIPE, env=environment
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        assert left(worker.pid) != []
        worker.kill()
    until(lambda: not left(worker.pid), f"left: {left(worker.pid)}")

    async def main() -> None:
        """The next one has what the daemon still knew forgotten."""
        subject = DaemonSubject(image, daemon.kind, **{daemon.kind: daemon.socket})
        bench = Bench(subject.runtime)
        await subject.runtime.open(bench.witness.hear)
        await bench.sandbox(subject.function(Doing.ECHO))
        await subject.runtime.close()

    asyncio.run(main())
    below = daemon.below or daemon
    until(lambda: not below.living(), "shims are left")
    with contextlib.suppress(FileNotFoundError):
        told = subprocess.run(
            ["ctr", "-a", below.socket, "namespaces", "ls", "-q"], capture_output=True, text=True, check=True
        )
        assert "attacca" not in told.stdout
