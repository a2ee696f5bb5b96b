"""Two hundred containers at once, and servers that are killed with fifty sandboxes of each kind: nothing is left.

A target of its own (`make crowds`): it takes minutes, gigabytes, and every engine.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from attacca.io.archive import pack
from tests.live import enemy, needed, outside
from tests.live.engines import daemons
from tests.live.engines.daemons import Daemon
from tests.live.test_containers import left
from tests.live.whole import CGROUPS, Whole, at_once, deployment, post, running, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")
MANY, MANY_S = 200, 400.0
FEW, FEW_S = 50, 300.0
MACHINES = 12  # each is an emulated processor, whose timers go on
HANDLER = "def handler(event, context):\n    return 'here'\n"
ROOM = ("--memory", "64000", "--set", "process.start_timeout_s=300")
EXAMPLES = Path(__file__).parents[2] / "examples"


class Kind(NamedTuple):
    """Of sandboxes. `engine`: who starts them, of containers."""

    name: str
    engine: str = ""
    wanted: int = FEW
    settings: dict[str, Any] = {}  # noqa: RUF012 - nobody writes to it


KINDS = (
    Kind("process", settings={"network": "nat"}),
    Kind("custom", settings={"network": "nat"}),
    Kind("wasm"),
    Kind("crun", "crun", settings={"network": "nat"}),
    Kind("runc", "runc"),
    Kind("runsc", "runsc"),
    Kind("containerd", "containerd", settings={"network": "nat"}),
    Kind("docker", "docker", settings={"network": "nat"}),
    Kind("microvm", wanted=MACHINES, settings={"network": "nat", "runtime": "microvm"}),
)


class Seen(NamedTuple):
    """What there is on the machine that sandboxes and their servers make."""

    processes: set[str]
    mounts: set[str]
    networks: set[str]  # of those processes
    cgroups: set[str]
    rest: set[str]  # ways out


def seen(marks: tuple[str, ...]) -> Seen:
    """Processes that name one of these, and the rest by what all of ours are called."""
    processes, networks = set(), set()
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            groups = Path(f"/proc/{pid}/cgroup").read_text()
            if any(mark in words + groups for mark in marks):
                processes.add(f"{pid} {words[:200]}")
                networks.add(os.readlink(f"/proc/{pid}/ns/net"))
    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    cgroups = {one for one, _, _ in os.walk(CGROUPS) if "attacca-" in one}
    return Seen(
        processes,
        {one for one in mounts if any(mark in one for mark in marks)},
        networks,
        {one for one in cgroups if any(mark in one for mark in marks)},
        set(outside.left()),
    )


def of_all() -> set[str]:
    """The networks of all processes."""
    found = set()
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/{pid}/ns/net"))
    return found


def code_of(kind: Kind, place: Path) -> Path:
    place.mkdir(parents=True)
    if kind.engine:
        shutil.rmtree(place)
        return enemy.layout_of_root(place)
    if kind.name == "custom":
        return EXAMPLES / "compat" / "program-bash"
    if kind.name == "wasm":
        wasmtime = pytest.importorskip("wasmtime")
        text = (EXAMPLES / "programs" / "wasm-wat" / "echo.wat").read_text()
        (place / "echo.wasm").write_bytes(wasmtime.wat2wasm(text))
    else:
        (place / "main.py").write_text(HANDLER)
    return place


class Stage(NamedTuple):
    server: Whole
    daemon: Daemon | None
    options: list[str]

    def crowd(self, code: Path, count: int, seconds: float, **settings: Any) -> None:
        """So many of one function are ready."""
        told = {"memory_mb": 64, "timeout_s": 120, "min_sandboxes": count, "max_sandboxes": count, **settings}
        answer = self.server.ask("POST", "/api/functions", *deployment("crowd", pack(code), **told), wait_s=seconds)
        assert answer.status == 200, answer
        assert "done" in json.loads(answer.body.splitlines()[-1]), answer.body.decode()
        until(lambda: self.ready() == count, f"{count} are ready", seconds)

    def ready(self) -> int:
        return sum(one["phase"] in ("idle", "busy") for one in self.server.sandboxes("crowd"))


@contextlib.contextmanager
def staged(engine: str, place: Path) -> Iterator[Stage]:
    """A server on a machine of its own, beside a daemon where it wants one."""
    with contextlib.ExitStack() as ends:
        options, daemon = [*ROOM, *(("--set", f"container.engine={engine}") if engine else ())], None
        if engine in ("containerd", "docker"):
            daemon = ends.enter_context(daemons.running(engine, place / "daemon"))
            options += ["--set", f"container.{engine}={daemon.socket}"]
        elif engine:
            needed.expect(engine)
        ends.enter_context(outside.outside())
        yield Stage(ends.enter_context(running(place / "state", *options)), daemon, options)


@pytest.mark.parametrize("engine", ["crun", "docker"])
def test_two_hundred_containers_at_once_answer_and_leave_nothing(engine: str, tmp_path: Path) -> None:
    with staged(engine, tmp_path) as stage:
        pid, marks = stage.server.pid, (f"attacca-{stage.server.pid}-", str(tmp_path / "state"))
        code = code_of(Kind("container", engine), tmp_path / "code")
        stage.crowd(code, MANY, MANY_S, network="nat", queue=MANY)
        answers = at_once(stage.server, [post("/function/crowd", b"said = 6 * 7")] * MANY)
        assert [one.status for one in answers] == [200] * MANY
        assert len(outside.left()) > MANY
        stage.server.signal()
        until(lambda: stage.server.process.poll() is not None, "it has ended all of them", MANY_S)
        until(lambda: not left(pid), "its directories and cgroups are gone")
        until(lambda: not outside.left(), "so are its ways out")
        now = seen(marks)
        assert now.processes == now.mounts == now.cgroups == set()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_nothing_is_left_of_a_server_that_was_killed_with_a_crowd(kind: Kind, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with staged(kind.engine, tmp_path) as stage:
        marks = (f"attacca-{stage.server.pid}-", str(state))
        before, others = seen(marks), of_all()
        code = code_of(kind, tmp_path / "code")
        stage.crowd(code, kind.wanted, FEW_S, **kind.settings)
        during = seen(marks)
        assert len(during.processes - before.processes) >= min(kind.wanted, FEW) or kind.name == "wasm", during
        stage.server.kill()
        until(lambda: not left(stage.server.pid), "its directories and cgroups are gone")
        until(lambda: not seen(marks).processes, "all of its processes have ended")
        subprocess.run([sys.executable, "-m", "attacca.cli.app", "worker", "clean"], check=True, capture_output=True)
        until(lambda: not outside.left(), "tables and cables are gone")
        after = seen(marks)
        assert after.mounts == after.cgroups == set()
        until(lambda: not (during.networks - others) & of_all(), "no network has outlived who was in it")
        with running(state, *stage.options) as second:
            assert second.info["restored"] == 1
            until(lambda: not _known(stage), "the daemon has forgotten what was the other's", FEW_S)
            assert os.listdir(state / "tmp") == []


def _known(stage: Stage) -> list[str]:
    """What its daemon still knows of a server that is gone."""
    if stage.daemon is None:
        return []
    mark = f"attacca-{stage.server.pid}-"
    if stage.daemon.kind == "docker":
        words = ["docker", "-H", f"unix://{stage.daemon.socket}", "ps", "-a", "--format", "{{.Names}}"]
    else:
        words = ["ctr", "-a", stage.daemon.socket, "namespaces", "ls", "-q"]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    return [line for line in told.stdout.split() if line.startswith(mark)]
