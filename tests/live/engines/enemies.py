"""What containers try that are of an enemy's, and many of them at once, on a whole server with each engine."""

import ast
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from attacca.io.archive import pack
from tests.live import enemy, needed, outside
from tests.live.engines import daemons
from tests.live.engines.daemons import Daemon
from tests.live.test_container_conformance import is_frozen
from tests.live.test_containers import left, processes, run
from tests.live.test_publishing import ECHOES, PORT, SERVES, free, greeted, is_free
from tests.live.whole import Whole, deployment, running, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")
ENGINES = ("crun", "runc", "runsc", "containerd", "docker")
MANY = 50
FILLS = """
import os
found = {}
for place in ("/tmp", "/dev/shm", "/", "/app", "/dev", "/run", "/sys", "/proc"):
    size = 0
    try:
        with open(place + "/full", "wb", buffering=0) as file:
            while size < 1000:
                size += file.write(bytes(1 << 20)) >> 20
    except OSError as error:
        found[place] = size, errno.errorcode[error.errno]
    else:
        found[place] = size, ""
    try:
        os.unlink(place + "/full")
    except OSError:
        pass
said = found
"""
FORKS = """
import os
made = 0
while made < 5000:
    if os.fork() == 0:
        while True:
            try:
                os.fork()
            except OSError:
                pass
    made += 1
"""


class Stage(NamedTuple):
    engine: str
    server: Whole
    layout: Path  # of an image whose program is root
    daemon: Daemon | None

    def deploy(self, name: str, **settings: object) -> str:
        told = deployment(name, pack(self.layout), **{"memory_mb": 128, **settings})
        return self.server.ask("POST", "/api/functions", *told).body.decode()


@pytest.fixture(scope="module", params=ENGINES)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    engine, at = request.param, tmp_path_factory.mktemp(request.param)
    with contextlib.ExitStack() as ends:
        options, daemon = ["--memory", "12000", "--set", f"container.engine={engine}"], None
        if engine in ("containerd", "docker"):
            daemon = ends.enter_context(daemons.running(engine, at / "daemon"))
            options += ["--set", f"container.{engine}={daemon.socket}"]
        else:
            needed.expect(engine)
        ends.enter_context(outside.outside())
        options += ["--set", "container.pause_after_s=0.2"]
        yield Stage(engine, ends.enter_context(running(at / "state", *options)), enemy.layout_of_root(at), daemon)


def test_a_root_who_wants_out_does_not_get_there(stage: Stage) -> None:
    has_calls = stage.engine != "runsc"
    assert enemy.gets_out(stage.server, stage.layout, has_calls=has_calls) == []
    found = enemy.gets_out(stage.server, stage.layout, "nat", has_calls=has_calls)
    assert found == []
    public = f"socket.create_connection(('{outside.ELSEWHERE[0]}', {outside.PORT}), 5).recv(4)"
    assert ast.literal_eval(run(stage.server, f"said = {public}", "enemy-nat").body.decode()) == b"from"


def test_who_fills_what_there_is_and_forks_without_end_harms_itself_alone(stage: Stage) -> None:
    for name in ("bad", "good"):
        assert '"done"' in stage.deploy(name, memory_mb=256, timeout_s=4)
    assert run(stage.server, "said = 1", "good").status == 200
    found = ast.literal_eval(run(stage.server, FILLS, "bad").body.decode())
    assert {place: found.pop(place) for place in ("/tmp", "/dev/shm")} == dict.fromkeys(
        ("/tmp", "/dev/shm"), (64, "ENOSPC")
    )
    assert all(size == 0 for size, _ in found.values()), found
    told = run(stage.server, FORKS, "bad")
    assert told.status >= 500, told
    assert run(stage.server, "said = 6 * 7", "good").value == 42
    assert run(stage.server, "said = 6 * 7", "bad").value == 42
    stage.server.delete("bad")
    until(lambda: not stage.server.sandboxes("bad"), "it is gone with all its children")


def test_a_published_port_leads_to_one_that_rests_too(stage: Stage) -> None:
    port = free()
    both = [f"{port}:{PORT}", f"{port}:{PORT}/udp"]
    said = stage.deploy("db", publish=both, min_sandboxes=1, max_sandboxes=1)
    assert '"error"' not in said, said
    for source in (SERVES, ECHOES):
        assert stage.server.ask("POST", "/function/db", source.encode()).status == 200
    for _ in range(2):
        assert greeted(port) == b"hello you\nand all of yours"
        until(lambda: is_frozen(stage.server.pid, awake=stage.engine == "docker"), "it rests")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as guest:
        guest.settimeout(10)
        guest.sendto(b"you", ("127.0.0.1", port))
        assert guest.recv(100) == b"hello you"
    stage.server.delete("db")
    until(lambda: is_free(port))


def test_many_are_there_and_nothing_is_left_when_their_server_is_killed(stage: Stage) -> None:
    server = stage.server
    assert '"done"' in stage.deploy("many", min_sandboxes=MANY, memory_mb=128 if stage.engine == "runsc" else 64)

    def idle() -> int:
        return sum(one["phase"] == "idle" for one in server.sandboxes("many"))

    until(lambda: idle() >= MANY, "all are there", seconds=120)
    assert len(left(server.pid)) > 0
    server.kill()
    until(lambda: not left(server.pid), "nothing is left of it", seconds=60)
    assert processes(server.pid) == []
