"""What micro-VMs must survive: guests that lie or hang, a worker that is killed; and what is each sandbox's own."""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attacca.guest import channel as wire
from attacca.model.function import Network, Revision
from attacca.model.invocation import Ok
from attacca.worker.core.reports import SandboxFailed, SandboxGone
from attacca.worker.runtime import bench
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.conformance import Doing
from attacca.worker.runtime.microvm.disks import Disks
from attacca.worker.runtime.microvm.options import MicroVmOptions
from tests.live import patience
from tests.live.microvms.monitors import fake, usual
from tests.live.microvms.subject import BOOT_S, MicroVmSubject

__all__ = ["fake", "usual"]  # pytest's fixtures

OWN = """
import os, random, time, ssl, uuid
DRAWN = random.random()
def handler(event, context):
    return {"drawn": DRAWN, "random": random.random(), "uuid": str(uuid.uuid4()), "ssl": ssl.RAND_bytes(8).hex(),
            "at": time.time(), "user": os.getuid()}
"""
THREADS = """
import threading, queue
ASKED, TOLD = queue.Queue(), queue.Queue()
def live():
    while True:
        TOLD.put(ASKED.get() * 2)
threading.Thread(target=live, daemon=True).start()
def handler(event, context):
    ASKED.put(event["n"])
    return TOLD.get()
"""
NARROW = """
import os, socket, threading
def tried(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"
def listen():
    with socket.socket(socket.AF_VSOCK) as own:
        own.bind((socket.VMADDR_CID_ANY, 11))
def threads():
    threading.stack_size(65536)
    gate, count = threading.Event(), 0
    try:
        while True:
            threading.Thread(target=gate.wait, daemon=True).start()
            count += 1
    except RuntimeError:
        return count
    finally:
        gate.set()
def handler(event, context):
    return {"code": tried(lambda: open("/function/x", "w")), "root": tried(lambda: open("/etc/x", "w")),
            "control": tried(lambda: os.open("/dev/vport0p1", os.O_RDWR)), "port": tried(listen),
            "disk": tried(lambda: open("/dev/vda", "rb")), "user": tried(lambda: os.setuid(0)),
            "clock": tried(lambda: __import__("time").clock_settime(0, 0.0)),
            "threads": threads()}
"""
LIES = """
import os, struct
def leads(one):
    try:
        return os.readlink("/proc/self/fd/" + one)
    except OSError:  # of the list itself
        return ""
def handler(event, context):
    number = next(int(one) for one in os.listdir("/proc/self/fd")
                  if int(one) > 2 and leads(one).startswith(("/dev/vport", "socket:")))
    os.write(number, struct.pack("<IBI", %d, %d, 77) + b"nonsense")
    import time
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@contextlib.asynccontextmanager
async def opened(state: Path, own: MicroVmOptions, **options: Any) -> AsyncIterator[tuple[MicroVmSubject, Bench]]:
    bench.PATIENCE_S = BOOT_S
    await asyncio.to_thread(os.getpid)
    subject = MicroVmSubject(state, own, **options)
    seen = Bench(subject.runtime)
    await subject.runtime.open(seen.witness.hear)
    try:
        yield subject, seen
    finally:
        await subject.runtime.close()
    assert seen.witness.wrong == []
    assert subject.leftovers() == []


def written(subject: MicroVmSubject, name: str, text: str) -> Revision:
    of = subject.function(Doing.ECHO)
    code = subject.state / "code" / name
    code.mkdir(exist_ok=True)
    (code / "main.py").write_text(text)
    settings = msgspec.structs.replace(of.settings, name=name)
    return msgspec.structs.replace(
        of, function=name, settings=settings, artefact=msgspec.structs.replace(of.artefact, code=name)
    )


async def answer(seen: Bench, sandbox: str, of: Revision, body: bytes = b"{}") -> object:
    outcome = (await seen.ended(seen.run(sandbox, of, body))).outcome
    assert isinstance(outcome, Ok), outcome
    return msgspec.json.decode(outcome.body)


def test_each_is_restored_with_a_time_and_random_numbers_of_its_own(state: Path, usual: MicroVmOptions) -> None:
    async def main() -> None:
        async with opened(state, usual) as (subject, seen):
            own = written(subject, "own", OWN)
            template = await seen.template(own)
            told = [await answer(seen, await seen.sandbox(own, template), own) for _ in range(3)]
            answers = msgspec.convert(told, list[dict[str, str | float | int]])
            for name in ("random", "uuid", "ssl"):
                assert len({one[name] for one in answers}) == 3, name
            assert len({one["drawn"] for one in answers}) == 1, "drawn by the import, which all have in common"
            now = subject.clock.wall()
            assert all(now - BOOT_S < float(one["at"]) <= now + 1 for one in answers)
            assert {one["user"] for one in answers} == {1000}
            assert "<MicroVmRuntime 3 machines, 1 templates" in repr(subject.runtime)
            one = next(iter(subject.runtime._housed.values()))
            assert repr(one).startswith("<Housed sandbox s2 ready, <Vm s2 <ChildProcess")
            monitor = {"qemu": "<QemuMonitor <QmpSocket open, ", "firecracker": "<FirecrackerMonitor <MachineRoom "}
            assert repr(one.vm.monitor).startswith(monitor[usual.monitor])

    asyncio.run(main())


def test_one_that_was_stopped_goes_on_and_knows_what_time_it_is(state: Path, usual: MicroVmOptions) -> None:
    async def main() -> None:
        async with opened(state, msgspec.structs.replace(usual, pause_after_s=0.0)) as (subject, seen):
            own = written(subject, "own", OWN)
            sandbox = await seen.sandbox(own)
            one = subject.runtime._housed[sandbox]
            for _ in range(3):
                async with asyncio.timeout(BOOT_S):
                    while "stopped" not in repr(one.resting):  # noqa: ASYNC110 - nobody is told
                        await asyncio.sleep(0)
                asked = subject.clock.wall()
                found = await answer(seen, sandbox, own)
                assert isinstance(found, dict)
                assert asked <= found["at"] + 0.001 <= subject.clock.wall() + 0.002
            seen.run(sandbox, own, b"{}")
            seen.kill(sandbox)
            await seen.gone(sandbox)

    asyncio.run(main())


def test_threads_that_an_import_has_started_go_on_in_each(state: Path, usual: MicroVmOptions) -> None:
    async def main() -> None:
        async with opened(state, usual) as (subject, seen):
            threads = written(subject, "threads", THREADS)
            template = await seen.template(threads)
            for number in (1, 2):
                sandbox = await seen.sandbox(threads, template)
                assert await answer(seen, sandbox, threads, b'{"n": %d}' % number) == 2 * number

    asyncio.run(main())


def test_a_function_is_nobody_in_its_machine(state: Path, usual: MicroVmOptions) -> None:
    async def main() -> None:
        async with opened(state, usual) as (subject, seen):
            narrow = written(subject, "narrow", NARROW)
            found = await answer(seen, await seen.sandbox(narrow), narrow)
            assert isinstance(found, dict)
            assert 0 < found.pop("threads") < 128
            assert found.pop("code") == "OSError"
            assert found.pop("control") in ("PermissionError", "FileNotFoundError")
            assert found.pop("port") == {"qemu": "OSError", "firecracker": "PermissionError"}[usual.monitor]
            assert found.pop("root") == "OSError"
            assert set(found.values()) == {"PermissionError"}, found

    asyncio.run(main())


@pytest.mark.parametrize("lie", [(8, 200), (1 << 30, wire.RESULT), (8, wire.READY)], ids=str)
def test_who_says_nonsense_is_ended_and_others_live_on(
    state: Path, usual: MicroVmOptions, lie: tuple[int, int]
) -> None:
    async def main() -> None:
        async with opened(state, usual) as (subject, seen):
            liar, echo = written(subject, "lies-{}-{}".format(*lie), LIES % lie), subject.function(Doing.ECHO)
            honest, sandbox = await seen.sandbox(echo), await seen.sandbox(liar)
            seen.run(sandbox, liar)
            report = await seen.gone(sandbox)
            assert isinstance(report, SandboxGone)
            assert "and was killed" in report.message
            await seen.echo(honest, echo)

    asyncio.run(main())


def test_an_import_that_hangs_is_ended_in_time(state: Path, usual: MicroVmOptions) -> None:
    async def main() -> None:
        async with opened(state, usual, start_timeout_s=1.0) as (subject, seen):
            hangs = written(subject, "hangs", "import time\ntime.sleep(600)\ndef handler(event, context): pass\n")
            report = await seen.born(seen.make(hangs))
            assert isinstance(report, SandboxFailed)
            assert report.code == "timeout"

    asyncio.run(main())


KILLED = """
import asyncio, sys
from pathlib import Path
from typing import Any
import msgspec, pytest
from attacca.model.function import Network
from attacca.worker.runtime import bench
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.conformance import Doing
from attacca.worker.runtime.microvm.options import MicroVmOptions
from tests.live.microvms.monitors import pretend
from tests.live.microvms.subject import MicroVmSubject
if sys.argv[5]:
    pretend(pytest.MonkeyPatch())
bench.PATIENCE_S = float(sys.argv[2])
async def main():
    subject = MicroVmSubject(Path(sys.argv[1]), msgspec.json.decode(sys.argv[3], type=MicroVmOptions))
    seen = Bench(subject.runtime)
    await subject.runtime.open(seen.witness.hear)
    echo = subject.function(Doing.ECHO, network=Network(sys.argv[4]))
    template = await seen.template(echo)
    for _ in range(3):
        await seen.sandbox(echo, template)
    print(*(one.vm.process.pid for one in subject.runtime._housed.values()), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@contextlib.contextmanager
def killed(state: Path, usual: MicroVmOptions, network: Network) -> Iterator[None]:
    """A worker, once it has machines; at the end it and they are gone."""
    with subprocess.Popen(
        [
            sys.executable, "-c", KILLED, str(state), str(BOOT_S), msgspec.json.encode(usual).decode(), network,
            usual.firecracker if usual.firecracker != "firecracker" else "",
        ],
        stdout=subprocess.PIPE, text=True,
    ) as worker:  # fmt: skip
        assert worker.stdout is not None
        pids = [int(word) for word in worker.stdout.readline().split()]
        ends = [os.pidfd_open(pid) for pid in pids]
        try:
            yield
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    assert len(pids) >= 3
    for end in ends:
        assert select.select([end], [], [], patience.PATIENCE_S)[0], "it lives on"
        os.close(end)


def test_none_outlives_a_worker_that_is_killed(state: Path, usual: MicroVmOptions) -> None:
    with killed(state, usual, Network.NONE):
        pass
    Disks(state / "microvms", state, state).sweep_machines()  # as the next worker does
    left = [path.name for path in (state / "microvms").iterdir() if path.name.startswith(".")]
    assert left == []
