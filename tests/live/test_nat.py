"""What a sandbox with a way out reaches, and what it does not: on a machine and in a world of the test's own."""

import ast
import asyncio
import errno
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.kernel.clock import SystemClock
from attacca.model.function import Image, Network, Revision, Settings, Signature
from attacca.model.invocation import Ok
from attacca.worker.host import netlink
from attacca.worker.host.nat import claims
from attacca.worker.host.nat.gate.main import Porter
from attacca.worker.host.nat.ground import Ground
from attacca.worker.host.nat.options import NatOptions
from attacca.worker.host.nat.outside import Nat
from attacca.worker.host.nftables import Nftables
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.container.runtime import ContainerRuntime
from attacca.worker.runtime.process.options import ProcessOptions
from tests.live import needed, outside, python_image
from tests.live.house import House, value, visit
from tests.live.outside import MACHINE, PORT
from tests.live.test_container_conformance import OneImage

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root lays cables out of a sandbox")
CALLS = """
import socket
said = {}
for place in PLACES:
    try:
        with socket.create_connection(place.split(":"), 5) as sock:
            said[place] = sock.makefile().readline().strip()
    except socket.gaierror:
        said[place] = "no such name"
    except OSError as error:
        said[place] = error.strerror
"""
# Says for each of some addresses what became of a connection to it.
TRIES = """
import errno, socket

def one(place):
    host, port = place.rsplit(":", 1)
    try:
        with socket.create_connection((host.strip("[]"), port), 5) as sock:
            return sock.makefile().readline().strip()
    except socket.gaierror as error:
        return "no such name"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))

def handler(event):
    return {place: one(place) for place in event}
"""
PUBLIC, PRIVATE, META = f"192.0.2.7:{PORT}", f"10.1.2.3:{PORT}", f"169.254.169.254:{PORT}"
NAMED, OTHER, INNER = (f"{one}.example.com:{PORT}" for one in ("api", "other", "inner"))
THERE, REFUSED = f"from {MACHINE}", errno.errorcode[errno.ECONNREFUSED]


@pytest.fixture(scope="module", autouse=True)
def _machine() -> Iterator[None]:
    with outside.served():
        yield


def nat() -> Nat:
    return Nat(NatOptions(resolvers=(f"{outside.WORLD}:{outside.DNS}",)))


def function(house: House, **settings: object) -> Revision:
    return house.function(TRIES, Signature.EVENT, network=Network.NAT, **settings)


async def told(house: House, sandbox: str, revision: Revision, tries: list[str]) -> dict[str, str]:
    found: dict[str, str] = value(
        await house.run(sandbox, revision, json.dumps(tries).encode(), content_type="application/json")
    )
    return found


@pytest.mark.parametrize("way", ["cold", "forked"])
def test_what_is_public_is_reached_and_nothing_else(way: str) -> None:
    refused = [PRIVATE, META, f"{MACHINE}:{PORT}", f"127.0.0.1:{PORT}", INNER, f"198.18.0.1:{PORT}", f"0.0.0.0:{PORT}"]

    async def story(house: House) -> None:
        revision = function(house)
        template = (await house.template(revision)).template if way == "forked" else None
        sandbox = await house.sandbox(revision, template)
        assert await told(house, sandbox, revision, [PUBLIC, NAMED, f"192.0.2.7:{PORT + 1}"]) == {
            PUBLIC: THERE, NAMED: THERE, f"192.0.2.7:{PORT + 1}": REFUSED,
        }  # fmt: skip
        assert await told(house, sandbox, revision, refused) == dict.fromkeys(refused, REFUSED)
        assert await told(house, sandbox, revision, ["[::1]:8000", "[2001:db8::1]:8000"]) == {
            "[::1]:8000": REFUSED, "[2001:db8::1]:8000": "ENETUNREACH",
        }  # fmt: skip
        said = house.printed("network")
        assert f"{PRIVATE} (tcp) was refused: it is private" in said
        assert f"{META} (tcp) was refused: no sandbox reaches" in said

    visit(story, nat())
    assert outside.left() == []


def test_a_list_opens_what_it_names_and_nothing_else() -> None:
    allow = (NAMED, PRIVATE)

    async def story(house: House) -> None:
        revision = function(house, allow=allow)
        sandbox = await house.sandbox(revision)
        assert await told(house, sandbox, revision, [PUBLIC, NAMED, PUBLIC, PRIVATE, OTHER, f"192.0.2.8:{PORT}"]) == {
            NAMED: THERE, PUBLIC: THERE, PRIVATE: THERE, OTHER: "no such name", f"192.0.2.8:{PORT}": REFUSED,
        }  # fmt: skip
        said = house.printed("network")
        assert f"{PUBLIC} (tcp) was refused: it is not in `allow`" in said  # before its name was asked for
        assert "the name other.example.com was refused: it is not in `allow`" in said

    visit(story, nat())


def test_one_sandbox_does_not_reach_another_nor_does_the_machine() -> None:
    one_does_not_reach_another()


def one_does_not_reach_another() -> None:
    listens = """
    import socket
    server = socket.socket()
    def handler():
        server.bind(("", 8000))
        server.listen()
        return [line.split()[1] for line in open("/proc/net/fib_trie") if line.strip().startswith("|-- 198.18")]
    """

    async def story(house: House) -> None:
        other = house.function(listens, network=Network.NAT, name="listens")
        listening = await house.sandbox(other)
        address = value(await house.run(listening, other))[0]
        revision = function(house)
        sandbox = await house.sandbox(revision)
        place = f"{address}:8000"
        assert await told(house, sandbox, revision, [place]) == {place: REFUSED}
        with pytest.raises(OSError, match=r"timed out|unreachable"):
            socket.create_connection((address, 8000), 0.2)

    visit(story, nat())


def test_what_speaks_to_the_kernel_says_whether_it_can() -> None:
    nftables = Nftables()
    assert repr(nftables) == "<Nftables open>"
    nftables.close()
    nftables.close()
    assert repr(nftables) == "<Nftables closed>"
    ground = claims.Claimed(1)
    assert repr(ground) == "<Claimed <Claim 0>>"
    ground.close()
    bare = Ground()
    assert repr(bare).startswith("<Ground <Netlink ")
    with socket.socket() as orders:
        porter = Porter(orders, -1)
        assert repr(porter).startswith("<Porter <Ground ")
        porter.close()
    bare.close()
    with netlink.Netlink() as asked:
        assert repr(asked).startswith("<Netlink ")
        with pytest.raises(OSError, match=r"netlink: .*request 1"):
            asked.ask(netlink.removal("attacca9-1"))


def test_a_container_reaches_what_its_list_names(tmp_path: Path) -> None:
    needed.expect("crun")
    reaches_what_its_list_names(tmp_path, ContainerOptions(engine="crun"))


def reaches_what_its_list_names(place: Path, options: ContainerOptions) -> None:
    image = python_image.unpacked(place / "image")
    settings = Settings(name="asks", network=Network.NAT, allow=(NAMED,), env={"DOING": "python"})
    revision = Revision(
        function="asks", number=1, settings=settings, handler="python3", signature=Signature.WSGI,
        artefact=Image(python_image.DIGEST),
    )  # fmt: skip

    async def main() -> None:
        runtime = ContainerRuntime(OneImage(image), options, ProcessOptions(), SystemClock(), nat=nat())
        bench = Bench(runtime)
        await runtime.open(bench.witness.hear)
        try:
            sandbox = await bench.sandbox(revision)
            code = f"PLACES = {[PUBLIC, NAMED, PUBLIC, OTHER]}\n{CALLS}"
            outcome = (await bench.ended(bench.run(sandbox, revision, code.encode()))).outcome
            assert isinstance(outcome, Ok), outcome
            assert ast.literal_eval(outcome.body.decode()) == {PUBLIC: THERE, NAMED: THERE, OTHER: "no such name"}
        finally:
            await runtime.close()
        assert bench.witness.wrong == outside.left() == []

    asyncio.run(main())
