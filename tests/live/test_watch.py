"""Everything a sandbox can hold without a cgroup that counts it, really held, and found by who looks from outside."""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from attacca.model.invocation import Failed
from attacca.worker.core.reports import SandboxGone
from attacca.worker.host import watch
from attacca.worker.host.cgroups import open_groups
from attacca.worker.host.watch import Usage, held
from tests.live import ordinary
from tests.live.house import House, value, visit
from tests.live.whole import running, until

MB = 1 << 10  # in kB
DEAR = 0  # is enough for every look to be the exact one
CHEAP = 1 << 40


@contextmanager
def holding(code: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has run this and waits, with all below it."""
    source = f"import mmap, os, socket, sys, threading\n{code}\nprint(flush=True)\nsys.stdin.read()\n"
    command = [sys.executable, "-c", source]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.communicate()


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("kept = b'x' * (40 << 20)", "anonymous"),
        ("kept = mmap.mmap(-1, 40 << 20); kept.write(b'x' * (40 << 20))", "shared"),
        ("kept = os.memfd_create('x'); [os.write(kept, b'x' * (1 << 20)) for _ in range(40)]", "files"),
        ("kept = os.memfd_create('x'); [os.write(kept, b'x' * (1 << 20)) for _ in range(40)]; os.dup(kept)", "files"),
    ],
)
def test_each_kind_is_found_where_it_is(code: str, part: str) -> None:
    with holding(code) as process:
        for enough_kb in (CHEAP, DEAR):
            found = held(process.pid, enough_kb=enough_kb)
            others = found._replace(**{part: 0})
            assert 40 * MB <= getattr(found, part) < 60 * MB
            assert others.memory_kb < 30 * MB
            assert found.processes == 1
    assert held(process.pid) == Usage(), "it is gone"


def test_page_tables_count() -> None:
    flags = "flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ"
    with holding(f"kept = mmap.mmap(-1, 8 << 30, {flags})\nfor at in range(0, 8 << 30, 2 << 20): kept[at]") as process:
        assert 15 * MB < held(process.pid).tables < 30 * MB


def test_pipes_count_once_by_what_they_may_hold() -> None:
    with holding("kept = [os.pipe() for _ in range(50)]") as process:
        assert 50 * watch.PIPE_KB <= held(process.pid).pipes <= 53 * watch.PIPE_KB


def test_what_is_mapped_and_open_counts_once_when_it_matters() -> None:
    code = "file = os.memfd_create('x'); os.ftruncate(file, 40 << 20); kept = mmap.mmap(file, 40 << 20)\n"
    with holding(code + "kept.write(b'x' * (40 << 20))") as process:
        assert held(process.pid, enough_kb=CHEAP).memory_kb > 80 * MB
        assert 40 * MB <= held(process.pid, enough_kb=DEAR).memory_kb < 70 * MB


def test_all_below_it_count_but_those_apart_and_shared_pages_once_when_it_matters() -> None:
    code = """
kept = mmap.mmap(-1, 40 << 20)
kept.write(b'x' * (40 << 20))
for _ in range(3):
    ready, told = os.pipe()
    if (child := os.fork()) == 0:
        sum(kept[at] for at in range(0, 40 << 20, 4096))
        os.write(told, b'x')
        threading.Event().wait()
    os.read(ready, 1)
print(child, flush=True)
"""
    with holding(code) as process:
        rough, exact = held(process.pid, enough_kb=CHEAP), held(process.pid, enough_kb=DEAR)
        assert rough.shared >= 160 * MB
        assert 40 * MB <= exact.shared < 45 * MB
        assert rough.processes == exact.processes == 4
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert held(process.pid, apart=(process.pid, int(children[0]))).processes == 3
        for child in children:
            os.kill(int(child), 9)


def test_threads_count_and_work_is_bounded() -> None:
    code = "import time\nfor _ in range(20): threading.Thread(target=threading.Event().wait, daemon=True).start()"
    with holding(code) as process:
        assert held(process.pid).processes == 21
    with holding("for _ in range(30):\n    if os.fork() == 0: threading.Event().wait()") as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert held(process.pid).processes == 31
        assert 6 <= held(process.pid, most=5).processes < 12
        for child in children:
            os.kill(int(child), 9)


HOLD = """
    import mmap, os, socket, threading
    KEPT = []
    def handler(kind):
        if kind == "memory files":
            for _ in range(4):
                file = os.memfd_create("x")
                KEPT.append(file)
                os.write(file, b"x" * (40 << 20))
        if kind == "tmpfs":
            for name in ("/tmp/x", "/dev/shm/x"):
                with open(name, "wb") as file:
                    file.write(b"x" * (60 << 20))
        if kind == "deleted files":
            for name in ("/tmp/x", "/dev/shm/x"):
                KEPT.append(open(name, "wb"))
                KEPT[-1].write(b"x" * (60 << 20))
                os.unlink(name)
        if kind == "a file and a map":
            with open("/tmp/x", "wb") as file:
                file.write(b"x" * (50 << 20))
            KEPT.append(mmap.mmap(-1, 50 << 20))
            KEPT[-1].write(b"x" * (50 << 20))
        if kind == "page tables":
            for _ in range(12):
                flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000
                KEPT.append(mmap.mmap(-1, 32 << 30, flags=flags, prot=mmap.PROT_READ))
                for at in range(0, 32 << 30, 2 << 20):
                    KEPT[-1][at]
        if kind == "children":
            for _ in range(6):
                if os.fork() == 0:
                    kept = b"x" * (30 << 20)
                    threading.Event().wait()
        if kind in ("Unix sockets", "closed Unix sockets"):
            while len(KEPT) < 900:
                ours, theirs = socket.socketpair()
                ours.setblocking(False)
                KEPT.append(theirs)
                if kind == "Unix sockets":
                    KEPT.append(ours)
                try:
                    while True:
                        ours.send(bytes(1 << 14))
                except BlockingIOError:
                    pass
        if kind == "queues":
            server = socket.create_server(("127.0.0.1", 0))
            while len(KEPT) < 900:
                ours, theirs = socket.create_connection(server.getsockname()), server.accept()[0]
                ours.setblocking(False)
                KEPT.extend((ours, theirs))
                try:
                    while True:
                        ours.send(bytes(1 << 16))
                except BlockingIOError:
                    pass
        threading.Event().wait(20)
"""
KINDS = (
    *("memory files", "tmpfs", "deleted files", "a file and a map", "page tables", "children"),
    *("queues", "Unix sockets", "closed Unix sockets"),
)


@pytest.mark.parametrize("is_forked", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_who_holds_too_much_ends_and_another_does_not(kind: str, is_forked: bool) -> None:  # noqa: FBT001
    async def story(house: House) -> object:
        revision, other = house.function(HOLD, memory_mb=80), house.function("def handler(): return 1")
        template = (await house.template(revision)).template if is_forked else None
        sandbox, quiet = await house.sandbox(revision, template), await house.sandbox(other)
        outcome = await house.run(sandbox, revision, f'{{"kind": "{kind}"}}'.encode())
        assert value(await house.run(quiet, other)) == 1
        return outcome

    outcome = visit(story, use_cgroups=False)
    assert isinstance(outcome, SandboxGone | Failed)
    assert outcome.code == "out_of_memory", outcome


LIVE = """
    import multiprocessing, os
    from multiprocessing import shared_memory
    def child(name):
        lump = shared_memory.SharedMemory(name=name)
        lump.buf[:40 << 20] = b"x" * (40 << 20)
        lump.close()
    KEPT = b"x" * (30 << 20)
    def handler():
        lump = shared_memory.SharedMemory(create=True, size=40 << 20)
        lump.buf[:40 << 20] = b"x" * (40 << 20)
        for _ in range(3):
            workers = [multiprocessing.get_context("fork").Process(target=child, args=(lump.name,)) for _ in range(2)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        return len(KEPT) >> 20
"""


def test_who_shares_what_is_within_the_limit_lives() -> None:
    """Looked at all the time: the same pages in several processes, and in a file, are no reason to end."""

    async def story(house: House) -> object:
        revision = house.function(LIVE, memory_mb=230)
        template = await house.template(revision)
        made = [await house.sandbox(revision, template.template) for _ in range(6)]
        return [value(await house.run(one, revision)) for one in made]

    assert visit(story, use_cgroups=False, watchdog_s=0.005) == [30] * 6


def test_too_many_open_files_cannot_be_watched() -> None:
    source = """
        import os, threading
        def handler():
            kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(900)]
            for _ in range(6):
                if os.fork() == 0:
                    threading.Event().wait()
            threading.Event().wait(20)
    """

    async def story(house: House) -> object:
        revision = house.function(source)
        return await house.run(await house.sandbox(revision), revision)

    outcome = visit(story, use_cgroups=False)
    assert isinstance(outcome, SandboxGone)
    assert "open files" in outcome.message


# A server that can make no cgroup.

HERE = Path(__file__).parent


def is_limited() -> bool:
    if os.geteuid() == 0 or (groups := open_groups()) is None:
        return False
    groups.close()
    return True


ordinary_only = pytest.mark.skipif(is_limited(), reason="no ordinary user without cgroups can try")


def _attacca(*words: str) -> "subprocess.CompletedProcess[str]":
    python = ordinary.command(ordinary.python()) if os.geteuid() == 0 else [sys.executable]
    command = [*python, "-m", "attacca.cli.app", *words]
    environ = ordinary.environment() if os.geteuid() == 0 else None
    return subprocess.run(command, env=environ, cwd="/", capture_output=True, text=True, check=False)


@pytest.fixture
def place() -> Iterator[Path]:
    """Where anybody may write."""
    with tempfile.TemporaryDirectory(prefix="attacca-test-") as name:
        os.chmod(name, 0o777)
        yield Path(name)


@ordinary_only
def test_a_server_that_cannot_enforce_memory_does_not_start_unless_told(place: Path) -> None:
    refused = _attacca("up", "--port", "0", "--state-dir", str(place / "state"))
    assert refused.returncode == 1
    assert "memory_mb" in refused.stderr
    for way in ("root", "systemd-run", "--memory-limits watch"):
        assert way in refused.stderr
    diagnosed = _attacca("doctor", "--json", "--state-dir", str(place / "state"), "--port", "0")
    (found,) = [check for check in json.loads(diagnosed.stdout) if check["name"] == "cgroups"]
    assert diagnosed.returncode == 1
    assert found["needed"]
    assert not found["ok"]
    assert "--memory-limits watch" in found["hint"]


@ordinary_only
def test_a_server_that_is_told_so_watches_and_says_so_once(place: Path) -> None:
    with running(place / "state", ordinary=ordinary.python() if os.geteuid() == 0 else "") as whole:
        assert whole.info["memory_limits"] == "rlimits and a watchdog"
        until(lambda: "Memory is watched, not enforced" in whole.said)
        whole.function("holder", textwrap.dedent(HOLD), handler="main:handler", memory_mb=80)
        answer = whole.call("holder", {"kind": "memory files"})
        assert (answer.status, answer.code) == (500, "out_of_memory")
        assert whole.is_well()
        assert whole.said.count("watched") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
def test_all_kinds_are_found_by_an_ordinary_user_too() -> None:
    ordinary.run_again(__file__)
