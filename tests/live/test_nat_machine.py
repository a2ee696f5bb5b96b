"""Ways out as the machine has them: of several workers, of many sandboxes, and after a worker that was killed."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import termios
import time
from collections.abc import AsyncIterator, Iterator
from fcntl import ioctl

import pytest

from attacca.model.function import Network, Settings
from attacca.worker.host import netlink
from attacca.worker.host.nat import claims
from attacca.worker.host.nat.options import NatOptions
from attacca.worker.host.nat.outside import Cable, Nat
from tests.live import needed, outside
from tests.live.outside import MACHINE, PORT, Sandbox
from tests.live.whole import ENVIRON, until
from tests.worker.host.nat.test_names import asking

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root lays cables out of a sandbox")
PUBLIC, THERE, REFUSED = "192.0.2.7", f"from {MACHINE}", "ECONNREFUSED"
OPEN = Settings(name="f", network=Network.NAT)
MANY = 200


@pytest.fixture(scope="module", autouse=True)
def _machine() -> Iterator[None]:
    needed.expect("nft")
    with outside.outside():
        yield


@contextlib.asynccontextmanager
async def held() -> AsyncIterator[Nat]:
    nat = Nat(NatOptions())
    nat.hold()
    try:
        yield nat
    finally:
        await nat.release()


@contextlib.asynccontextmanager
async def plugged(nat: Nat, settings: Settings = OPEN) -> AsyncIterator[tuple[Sandbox, Cable]]:
    with contextlib.closing(Sandbox()) as sandbox:
        line = await nat.plug(sandbox.namespace, settings, print)
        yield sandbox, line
        nat.unplug(line)


def test_two_workers_do_one_another_no_harm() -> None:
    async def main() -> None:
        async with held() as first, plugged(first) as (one, _):
            async with held() as second, plugged(second) as (other, line):
                assert (repr(first)[:13], repr(second)[:13]) == ("<Nat block 0,", "<Nat block 1,")
                assert one.called(PUBLIC) == other.called(PUBLIC) == THERE
                assert one.called(str(line.address)) == REFUSED
                assert claims.clean() == 0
            assert one.called(PUBLIC) == THERE
            assert [name for name in outside.left() if name != "attacca0-1"] == ["attacca_nat_0", "attacca_guard"]
        assert claims.FORWARDING.read_text() == "0\n"

    asyncio.run(main())
    until(lambda: not outside.left())


def test_what_comes_from_anothers_address_goes_nowhere() -> None:
    async def main() -> None:
        async with held() as nat, plugged(nat) as (one, _), plugged(nat) as (_, other):
            with one.within(), netlink.Netlink() as within:
                within.ask(netlink.address(netlink.index_of("eth0"), other.address))
            with (
                one.within(),
                socket.socket(type=socket.SOCK_DGRAM) as false,
                socket.socket(type=socket.SOCK_DGRAM) as own,
            ):
                false.bind((str(other.address), 0))
                false.sendto(asking("false.example"), (outside.WORLD, outside.DNS))
                own.settimeout(5)
                own.sendto(asking("own.example"), (outside.WORLD, outside.DNS))
                own.recv(512)
            assert asking("own.example") in outside.HEARD
            assert asking("false.example") not in outside.HEARD

    asyncio.run(main())


def test_a_cable_that_is_unplugged_leads_nowhere() -> None:
    async def main() -> None:
        async with held() as nat, plugged(nat) as (one, line):
            assert one.called(PUBLIC) == THERE
            nat.unplug(line)
            nat.unplug(line)
            await nat._do(int)  # it was told before that
            assert one.called(PUBLIC, seconds=0.2) == "no answer"
            assert repr(nat) == "<Nat block 0, 0 lines, 0 lists, 1 holders>"

    asyncio.run(main())


def test_many_at_once_all_have_their_own() -> None:
    async def main() -> None:
        async with held() as nat:
            sandboxes = [Sandbox() for _ in range(MANY)]
            lines = await asyncio.gather(*(nat.plug(one.namespace, OPEN, print) for one in sandboxes))
            assert len({line.address for line in lines}) == MANY
            assert {one.called(PUBLIC) for one in sandboxes} == {THERE}
            assert sandboxes[0].called(str(lines[-1].address)) == REFUSED
            for one in sandboxes:
                one.close()

    asyncio.run(main())
    until(lambda: not outside.left())


def test_nothing_is_left_of_one_that_was_killed_once_it_is_cleaned_up() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.live.plugged", "5"], stdout=subprocess.PIPE, text=True, env=ENVIRON
    )
    assert worker.stdout is not None
    try:
        assert worker.stdout.readline() == "<Nat block 0, 5 lines, 1 lists, 1 holders>\n"
        assert claims.clean() == 0
        assert "attacca_nat_0" in outside.left()
    finally:
        worker.kill()
        worker.wait()
        worker.stdout.close()
    assert claims.clean() == 1
    until(lambda: not outside.left())
    assert claims.FORWARDING.read_text() == "0\n"
    assert claims.clean() == 0


def test_bandwidth_is_bounded_both_ways() -> None:
    """In the time in which a sandbox without a bound gets all that it wants."""
    wanted, slow = 64 << 20, Settings(name="f", network=Network.NAT, bandwidth_mbps=8.0)

    async def main() -> None:
        async with held() as nat, plugged(nat) as (free, _), plugged(nat, slow) as (bound, _):
            for way in (fetched, sent):
                all_of_it, seconds = way(free, wanted, 60.0)
                assert all_of_it == wanted
                some, _ = way(bound, wanted, seconds)
                assert some < wanted // 4, (way, some, seconds)

    asyncio.run(main())


def fetched(sandbox: Sandbox, wanted: int, most_s: float) -> tuple[int, float]:
    """How many bytes have come within so many seconds, and how long it took."""
    with sandbox.socket() as sock:
        sock.settimeout(most_s)
        sock.connect((PUBLIC, PORT))
        stream = sock.makefile("rb", 1 << 16)
        stream.readline()
        sock.sendall(b"%d\n" % wanted)
        began, got = time.monotonic(), 0
        while got < wanted and (passed := time.monotonic() - began) < most_s:
            with contextlib.suppress(TimeoutError):
                sock.settimeout(max(most_s - passed, 0.001))
                got += len(sock.recv(1 << 20))
        return got, time.monotonic() - began


def sent(sandbox: Sandbox, wanted: int, most_s: float) -> tuple[int, float]:
    """Bytes that have arrived there, likewise."""
    with sandbox.socket() as sock:
        sock.settimeout(most_s)
        sock.connect((PUBLIC, PORT))
        sock.sendall(b"swallow\n")
        began, told, piece = time.monotonic(), 0, bytes(1 << 16)
        while time.monotonic() - began < most_s:
            if told < wanted:
                with contextlib.suppress(TimeoutError):
                    sock.settimeout(max(most_s - (time.monotonic() - began), 0.001))
                    told += sock.send(piece[: wanted - told])
            elif arrived(sock.fileno(), told) == wanted:
                break
        return arrived(sock.fileno(), told), time.monotonic() - began


def arrived(descriptor: int, told: int) -> int:
    """What of it is not still on its way."""
    return told - int.from_bytes(ioctl(descriptor, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
