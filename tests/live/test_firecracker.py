"""Enemies of a worker's Firecrackers: monitors that refuse, hang, die, or say what no monitor says."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from attacca.worker.runtime.microvm.firecracker.monitor import Firecracker
from attacca.worker.runtime.microvm.firecracker.requests import SAVED_MEMORY, SAVED_STATE
from attacca.worker.runtime.microvm.firecracker.room import clean, strays
from attacca.worker.runtime.microvm.monitor import DiskPlan, Ingredients, Left, MachineSize, SavedMachine, Start
from attacca.worker.runtime.microvm.needs import MachineNeeds
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.microvm.vm import Vm
from tests.live.patience import patiently
from tests.live.whole import ENVIRON, until

JAILER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 0)  # as who becomes another user hears no more of a parent's end
words = sys.argv[1:]
own, rest = words[: words.index("--")], words[words.index("--") + 1 :]
said = list(zip(own[::2], own[1::2], strict=True))
assert {name for name, _ in said} <= {"--id", "--exec-file", "--uid", "--gid", "--chroot-base-dir", "--parent-cgroup",
    "--resource-limit", "--cgroup-version"}, said
told = dict(said)
program = told["--exec-file"]
root = os.path.join(told["--chroot-base-dir"], os.path.basename(program), told["--id"], "root")
os.closerange(3, 256)
os.chdir(root)
os.execv(program, [program, "--id", told["--id"], *rest])
"""
ENOUGH_S = patiently(30.0)
SERVES = """
import json, os, socket, sys, threading, time

def listen(name):
    own = socket.socket(socket.AF_UNIX)
    own.bind(name)
    own.listen()
    return own

def asked(stream):
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"):
        one = stream.read(1)
        if not one:
            sys.exit(0)
        head += one
    lines = head.decode().split("\\r\\n")
    size = next(int(line.partition(": ")[2]) for line in lines if line.startswith("Content-Length"))
    return lines[0].split()[1], json.loads(stream.read(size))

def guest(line):
    own, kept = listen("vsock"), []
    def serve():
        while True:
            kept.append(own.accept()[0])
            kept[-1].recv(100)
            kept[-1].sendall(line)
    threading.Thread(target=serve, daemon=True).start()

def refused(why):
    said = json.dumps({"fault_message": why}).encode()
    return b"HTTP/1.1 400 Bad Request\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(said) + said

DONE = b"HTTP/1.1 204 No Content\\r\\n\\r\\n"
sock, _ = listen("api").accept()
stream = sock.makefile("rb")
while True:
    path, body = asked(stream)
    sock.sendall(answer(path, body))
"""


def program(*lines: str) -> str:
    """One that answers like this."""
    answer = "\n".join(f"    {line}" for line in lines)
    head, done, loop = SERVES.partition("DONE = ")
    return f"{head}def answer(path, body):\n{answer}\n{done}{loop}"


class Story:
    """One machine by a program that says it is a Firecracker."""

    def __init__(self, tmp_path: Path, program: str, timeout_s: float = ENOUGH_S, jailer: str = "") -> None:
        self.place = tmp_path / ("a long way to it, " * 8)  # longer than the address of a socket may be
        self.place.mkdir()
        self.file = tmp_path / "file"
        self.file.write_bytes(b"x")
        path, jailing = tmp_path / "firecracker", tmp_path / "jailer"
        for name, text in ((path, program), (jailing, jailer)):
            name.write_text(f"#!{sys.executable}\n{text}")
            name.chmod(0o755)
        needs = MachineNeeds(path, self.file, tmp_path, self.file, "firecracker", jailing if jailer else None)
        self._user = os.geteuid() if jailer else None
        self.common = Ingredients(needs, self.file, self.file, self.file, 0, "")
        self._options = MicroVmOptions(monitor_timeout_s=timeout_s, boot_timeout_s=timeout_s)
        self.resumed, self.saved = 0, list[Left]()

    def __repr__(self) -> str:
        return f"<Story {self.resumed} resumed, {len(self.saved)} saved>"

    def start(self, saved: SavedMachine | None = None, *, is_base: bool = False) -> Start:
        disks = (DiskPlan("code", self.file), DiskPlan("bundle", self.file))
        return Start(
            common=self.common, disks=disks, size=MachineSize(64, 1), user=self._user, saved=saved, is_base=is_base,
            is_kept=True,
        )  # fmt: skip

    def tell(self, start: Start, then: Callable[[Vm], None] = lambda _: None) -> str:
        """Why it ended."""

        async def main() -> str:
            loop = asyncio.get_running_loop()
            over: asyncio.Future[str] = loop.create_future()
            vm = Firecracker(self._options, self.place).vm("m", loop, lambda _: None)
            vm.over, vm.saved = over.set_result, self.saved.append

            def resumed() -> None:
                self.resumed += 1
                then(vm)

            vm.resumed = resumed
            await vm.monitor.prepare(start)
            await vm.monitor.begin()
            why = await asyncio.wait_for(over, ENOUGH_S)
            vm.close()
            await asyncio.sleep(0)
            return why

        why = asyncio.run(main())
        for left in self.saved:
            left.close()
        assert list(self.place.iterdir()) == [], "something is left"
        return why


def test_why_it_refuses_is_why_the_machine_ended(tmp_path: Path) -> None:
    story = Story(tmp_path, program('return refused("The kernel file cannot be opened")'))
    why = "its monitor did not do PUT /machine-config: The kernel file cannot be opened"
    assert story.tell(story.start()) == why


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["time.sleep(600)"], "PUT /machine-config: no answer within 0.5 s"),
        (['return b"nonsense\\n" * 100'], "PUT /machine-config: no answer (HttpParserError"),
        (
            ['return b"HTTP/1.1 200 OK\\r\\nContent-Length: 9999999\\r\\n\\r\\n" + b"x" * 9999999'],
            "no answer (TooLong)",
        ),
        (["path == '/actions' and guest(b'OK 7')", "return DONE"], "in the machine listens to port 11 within 0.5 s"),
        (
            ["path == '/actions' and guest(b'YES, HERE I AM, WHAT IS IT')", "return DONE"],
            "where OK and a number are due",
        ),
        (["return DONE"], "in the machine listens to port 11 within 0.5 s"),
    ],
    ids=["hangs", "nonsense", "floods", "half a line", "no such line", "no guest"],
)
def test_one_that_does_not_keep_to_it_is_ended_in_time(tmp_path: Path, lines: list[str], why: str) -> None:
    story = Story(tmp_path, program(*lines), timeout_s=0.5)
    assert why in story.tell(story.start())
    assert story.resumed == 0


def test_one_that_never_listens_is_ended_in_time(tmp_path: Path) -> None:
    story = Story(tmp_path, "import time\ntime.sleep(600)", timeout_s=0.5)
    assert "no answer within 0.5 s" in story.tell(story.start())


def test_one_that_dies_between_two_requests_says_how(tmp_path: Path) -> None:
    story = Story(tmp_path, program("if path == '/boot-source': os._exit(7)", "return DONE"))
    why = story.tell(story.start())
    assert why in ("its process exited with status 7", "its monitor did not do PUT /boot-source: no answer (EOFError)")


GUEST = r"if path in ('/actions', '/snapshot/load'): guest(b'OK 1073741824\n')"


@pytest.mark.parametrize("jailer", ["", JAILER], ids=["by itself", "by a jailer"])
def test_a_machine_boots_is_saved_and_restored_with_names_that_are_the_same(tmp_path: Path, jailer: str) -> None:
    lines = [
        f"names = ('{SAVED_MEMORY}', '{SAVED_STATE}') if path == '/snapshot/create' else ()",
        "for name in names: open(name, 'w').write(path)",
        "if path == '/snapshot/load': assert open('memory').read() == open('state').read() == 'x'",
        GUEST,
        "return DONE",
    ]
    story = Story(tmp_path, program(*lines), jailer=jailer)

    def save(vm: Vm) -> None:
        def saved(left: Left) -> None:
            assert os.stat(left.saved.memory).st_mode & 0o777 == 0o444
            story.saved.append(left)
            vm.kill("it is saved")

        vm.saved = saved
        vm.monitor.save()

    assert story.tell(story.start(), save) == "it is saved"
    assert len(story.saved) == 1
    kept = SavedMachine(story.file, story.file)
    assert story.tell(story.start(kept), lambda vm: vm.kill("enough")) == "enough"
    assert story.resumed == 2


def test_a_base_that_it_does_not_load_is_not_tried_again(tmp_path: Path) -> None:
    story = Story(tmp_path, program('return refused("the snapshot\'s version is not supported")'))
    base = SavedMachine(tmp_path / "memory", tmp_path / "state")
    for path in (base.memory, base.state):
        path.write_bytes(b"x")
    assert "version is not supported" in story.tell(story.start(base, is_base=True))
    assert not base.state.exists()


def test_one_that_is_killed_while_it_saves_leaves_nothing(tmp_path: Path) -> None:
    lines = [GUEST, "if path == '/snapshot/create': time.sleep(600)", "return DONE"]

    def save(vm: Vm) -> None:
        vm.monitor.save()
        asyncio.get_running_loop().call_later(0.1, vm.kill, "it was evicted")

    story = Story(tmp_path, program(*lines))
    assert story.tell(story.start(), save) == "it was evicted"
    assert story.saved == []


SERVER = """
import sys
from pathlib import Path
from tests.live.test_firecracker import GUEST, JAILER, Story, program
stays = "threading.Thread(target=time.sleep, args=(600,)).start()"  # also when nobody speaks to it any more
story = Story(Path(sys.argv[1]), program(stays, GUEST, "return DONE"), jailer=JAILER)
story.tell(story.start(), lambda vm: print("it runs", flush=True))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server has a jailer")
def test_one_that_a_jailer_has_started_ends_with_its_server(tmp_path: Path) -> None:
    words = [sys.executable, "-c", SERVER, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=ENVIRON) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "it runs\n"
        assert of(server.pid)
        server.kill()
    until(lambda: of(server.pid) == [])


def of(server: int) -> list[int]:
    """Processes of its machines."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"--id\0attacca-{server}-".encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def test_one_that_outlived_its_server_is_ended_by_the_next() -> None:
    gone = 4_194_305  # no process has that number
    words = [sys.executable, "-c", "import time; time.sleep(600)"]
    with (
        subprocess.Popen([*words, "--id", f"attacca-{gone}-00"]) as stray,
        subprocess.Popen([*words, f"--id=attacca-{gone}-00"]) as other,
        subprocess.Popen([*words, f"--id=attacca-{os.getpid()}-00"]) as ours,
    ):
        found = strays()
        assert {stray.pid, other.pid} <= {*found}
        assert ours.pid not in found
        assert clean() >= 2
        assert stray.wait(ENOUGH_S) == other.wait(ENOUGH_S) == -signal.SIGKILL
        assert ours.poll() is None
        ours.kill()
