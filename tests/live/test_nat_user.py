"""What a sandbox of an ordinary user's server reaches by its way out, and what it does not: root makes a machine and a
world of the test's own, and has an ordinary user try there."""

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.model.function import Network, Signature
from attacca.worker.host.nat import homes
from attacca.worker.host.nat.gate import programs
from attacca.worker.host.nat.gate.gate import Gate
from attacca.worker.host.nat.gate.main import carry
from attacca.worker.runtime.process.lineage import children
from tests.live import needed, ordinary, outside
from tests.live.house import House, value, visit
from tests.live.outside import MACHINE, PORT
from tests.live.test_nat import (
    INNER,
    META,
    NAMED,
    OTHER,
    PRIVATE,
    PUBLIC,
    REFUSED,
    THERE,
    function,
    nat,
    one_does_not_reach_another,
    told,
)

DOOR = 7999  # of who moves an address of the world to the machine
SECOND = "192.0.2.8"
SOMEBODY = ordinary.UID + 1  # no other test is that user's, whose programs are counted
TRIES = 200  # until the server has heard of it
NAMES = {"pasta": ("pasta", "passt"), "slirp4netns": ("slirp4netns",)}  # of their processes
IS_THERE = os.geteuid() != 0 and any(MACHINE in str(one) for one in homes.own())
of_user = pytest.mark.skipif(not IS_THERE, reason="for an ordinary user, where root has made a world")
of_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a world")


@of_root
def test_this_holds_for_an_ordinary_user() -> None:
    needed.expect("nft")
    for program in programs.PROGRAMS:
        needed.expect(program)
    with outside.outside(), socket.create_server(("127.0.0.1", DOOR)) as door:
        server = outside.host_service()
        threading.Thread(target=_move, args=(door,), daemon=True).start()
        try:
            ordinary.run_again(__file__, user=SOMEBODY)
        finally:
            server.shutdown()
            server.server_close()
            door.shutdown(socket.SHUT_RDWR)


def _move(door: socket.socket) -> None:
    """Whoever asks has the machine take an address of the world's, or give it back."""
    while True:
        try:
            asker = door.accept()[0]
        except OSError:
            return
        with asker:
            subprocess.run(["ip", "addr", asker.recv(16).decode(), f"{SECOND}/32", "dev", "lo"], check=True)
            asker.sendall(b"done")


def moved(verb: str) -> None:
    with socket.create_connection(("127.0.0.1", DOOR)) as sock:
        sock.sendall(verb.encode())
        assert sock.recv(16) == b"done"


@pytest.fixture(params=programs.PROGRAMS)
def program(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The only one of them that is here."""
    name = str(request.param)
    path = shutil.which(name)
    assert path is not None
    (tmp_path / name).symlink_to(path)
    monkeypatch.setenv("PATH", str(tmp_path))
    yield name
    is_gone(name)


def is_gone(name: str) -> None:
    for _ in range(1000):
        if not alive(name):
            break
        select.select([], [], [], 0.01)
    assert alive(name) == 0


def alive(name: str) -> int:
    """How many of ours; some programs let nobody look at more of them than that."""
    found = 0
    for place in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in place.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue
        is_running = lines["State"][0] not in "ZX"
        found += is_running and lines["Name"].startswith(NAMES[name]) and int(lines["Uid"].split()[0]) == os.geteuid()
    return found


@of_user
def test_what_is_public_is_reached_and_nothing_else(program: str) -> None:
    here = (MACHINE, "127.0.0.1", "0.0.0.0", programs.THERE, programs.HERE, "198.18.0.1", "255.255.255.255")
    refused = [PRIVATE, META, INNER, *(f"{one}:{PORT}" for one in here)]

    async def story(house: House) -> None:
        revision = function(house)
        template = (await house.template(revision)).template
        sandbox = await house.sandbox(revision, template)
        other = f"{SECOND}:{PORT}"
        assert await told(house, sandbox, revision, [PUBLIC, NAMED, other]) == {
            PUBLIC: THERE, NAMED: THERE, other: THERE,
        }  # fmt: skip
        found = await told(house, sandbox, revision, refused)
        assert {place for place, said in found.items() if said not in (REFUSED, "ENETUNREACH", "EACCES")} == set()
        assert alive(program) >= 1
        moved("add")
        try:
            for _ in range(TRIES):
                if (await told(house, sandbox, revision, [other])) == {other: REFUSED}:
                    break
            assert await told(house, sandbox, revision, [other, PUBLIC]) == {other: REFUSED, PUBLIC: THERE}
        finally:
            moved("del")

    visit(story, nat())


@of_user
def test_a_list_opens_what_it_names_and_nothing_else(program: str) -> None:
    async def story(house: House) -> None:
        revision = function(house, allow=(NAMED, PRIVATE), bandwidth_mbps=50)
        sandbox = await house.sandbox(revision)
        assert await told(house, sandbox, revision, [PUBLIC, NAMED, PUBLIC, PRIVATE, OTHER]) == {
            NAMED: THERE, PUBLIC: THERE, PRIVATE: THERE, OTHER: "no such name",
        }  # fmt: skip
        assert "the name other.example.com was refused: it is not in `allow`" in house.printed("network")

    visit(story, nat())


@of_user
def test_one_sandbox_does_not_reach_another(program: str) -> None:
    one_does_not_reach_another()


FETCHES = f"""
import socket, time

def handler(event):
    wanted, most_s = event
    with socket.create_connection(("192.0.2.7", {PORT})) as sock:
        stream = sock.makefile("rb", 1 << 16)
        stream.readline()
        sock.sendall(b"%d\\n" % wanted)
        began, got = time.monotonic(), 0
        while got < wanted and (left := began + most_s - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                got += len(sock.recv(1 << 16))
            except TimeoutError:
                break
        return [got, time.monotonic() - began]
"""


@of_user
def test_bandwidth_is_bounded(program: str) -> None:
    """In the time in which a sandbox without a bound gets all that it wants."""
    wanted = 8 << 20

    async def fetched(house: House, most_s: float, **settings: object) -> tuple[int, float]:
        revision = house.function(FETCHES, Signature.EVENT, network=Network.NAT, **settings)
        sandbox = await house.sandbox(revision)
        asked = json.dumps([wanted, most_s]).encode()
        got, seconds = value(await house.run(sandbox, revision, asked, content_type="application/json"))
        return got, seconds

    async def story(house: House) -> None:
        all_of_it, seconds = await fetched(house, 20.0)
        assert all_of_it == wanted
        some, _ = await fetched(house, seconds, bandwidth_mbps=2.0)
        assert some < wanted // 4, (some, seconds)

    visit(story, nat())


KILLED = """
import os, sys
from attacca.worker.host.nat.gate import programs
from attacca.worker.host.nat.gate.gate import Gate
from attacca.worker.host.nat.gate.gate import Gate, made_realm
gate = Gate(made_realm(), programs.found())
sys.stdout.write(repr(gate))
sys.stdout.flush()
sys.stdin.read()
"""


@of_user
def test_nothing_is_left_of_a_worker_that_was_killed(program: str) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        said = worker.stdout.read(len("<Gate of process 1"))
        assert said == b"<Gate of process " + said[-1:]
        assert alive(program) > 0
        worker.kill()


def test_a_program_ends_whose_gate_had_ended_before_it_could_be_told() -> None:
    """The gate may see its cable before who brought the program up has come to say so."""
    before = set(children(os.getpid()))
    lifeline, held = os.pipe()
    told, tell = os.pipe()
    os.close(told)
    with subprocess.Popen(["true"]) as gate:
        os.waitid(os.P_PID, gate.pid, os.WEXITED | os.WNOWAIT)
        carry(["sleep", "600"], gate.pid, lifeline, tell)
    for descriptor in (lifeline, held, tell):
        os.close(descriptor)
    assert set(children(os.getpid())) == before


@of_user
def test_a_gate_that_is_lost_is_made_anew(program: str) -> None:
    async def story(house: House) -> None:
        ways = house.runtime.common.nat
        revision = function(house)
        sandbox = await house.sandbox(revision)
        assert await told(house, sandbox, revision, [PUBLIC]) == {PUBLIC: THERE}
        works = ways._works
        assert isinstance(works, Gate)
        assert repr(works) == f"<Gate of process {works._process.pid}>"
        works._process.kill()
        for _ in range(TRIES):
            with contextlib.suppress(AssertionError):
                sandbox = await house.sandbox(revision)
                break
        assert await told(house, sandbox, revision, [PUBLIC]) == {PUBLIC: THERE}

    visit(story, nat())
