"""What a micro-VM with a way out reaches, and what it does not: on a machine and in a world of the test's own."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from attacca.model.function import Network, Revision
from attacca.model.messages import Logged
from attacca.worker.core.reports import SandboxFailed
from attacca.worker.host.nat import claims
from attacca.worker.host.nat.options import NatOptions
from attacca.worker.host.nat.outside import Nat
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.conformance import Doing
from attacca.worker.runtime.microvm.options import MicroVmOptions
from tests.live import outside
from tests.live.microvms.monitors import fake, usual
from tests.live.microvms.pool import until_waiting
from tests.live.microvms.subject import MicroVmSubject
from tests.live.microvms.survival import answer, killed, opened, state, written
from tests.live.outside import MACHINE, PORT
from tests.live.test_nat import INNER, META, NAMED, OTHER, PRIVATE, PUBLIC, REFUSED, THERE, TRIES
from tests.live.whole import until

__all__ = ["fake", "state", "usual"]  # pytest's fixtures
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root lays cables out of a machine")
ASKS = TRIES.replace("handler(event)", "handler(event, context)")
# Listens, says which addresses it has, and what becomes of a datagram from one that it has not.
LISTENS = f"""
import array, fcntl, socket, struct
server = socket.socket()
server.bind(("", {PORT}))
server.listen()
def handler(event, context):
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        found = fcntl.ioctl(sock, 0x8915, struct.pack("16s16x8x", b"eth0"))
        try:
            sock.bind((event["false"], 0))
        except OSError as error:
            return {{"address": socket.inet_ntoa(found[20:24]), "false": error.strerror}}
"""
OPENS = """
import fcntl, os, socket, struct
def takes_an_address():
    asked = struct.pack("16sHH4s8x", b"eth0", socket.AF_INET, 0, socket.inet_aton("198.18.0.99"))
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8916, asked)
def tried(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"
def handler(event, context):
    return {"raw": tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)),
            "packet": tried(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
            "address": tried(takes_an_address),
            "tap": tried(lambda: os.open("/dev/net/tun", os.O_RDWR))}
"""


@pytest.fixture(scope="module", autouse=True)
def _machine() -> Iterator[None]:
    with outside.served():
        yield


def nat() -> Nat:
    return Nat(NatOptions(resolvers=(f"{outside.WORLD}:{outside.DNS}",)))


def function(subject: MicroVmSubject, name: str, text: str, **settings: object) -> Revision:
    of = written(subject, name, text)
    return msgspec.structs.replace(of, settings=msgspec.structs.replace(of.settings, network=Network.NAT, **settings))


async def told(seen: Bench, sandbox: str, of: Revision, *tries: str) -> object:
    return await answer(seen, sandbox, of, msgspec.json.encode(tries))


def test_what_is_public_is_reached_and_nothing_else(state: Path, usual: MicroVmOptions) -> None:
    """By one that has imported by itself, by one that was restored, and by one that had waited."""
    refused = [PRIVATE, META, f"{MACHINE}:{PORT}", INNER, f"198.18.0.1:{PORT}", f"169.254.1.2:{PORT}"]

    async def main() -> None:
        async with opened(state, msgspec.structs.replace(usual, pool=1), nat=nat()) as (subject, seen):
            asks = function(subject, "asks", ASKS)
            template = await seen.template(asks)
            alone = await seen.sandbox(asks)
            (waited,) = await until_waiting(subject, 1)
            taken = await seen.sandbox(asks, template)
            restored = await seen.sandbox(asks, template)
            assert subject.runtime._housed[taken] is waited
            for one in (alone, taken, restored):
                assert await told(seen, one, asks, PUBLIC, NAMED) == {PUBLIC: THERE, NAMED: THERE}, one
                assert await told(seen, one, asks, *refused) == dict.fromkeys(refused, REFUSED), one
            said = [one.text for one in seen.witness.heard if isinstance(one, Logged) and one.sandbox == taken]
            assert any("10.1.2.3:8000 (tcp) was refused: it is private" in text for text in said), said

    asyncio.run(main())


def test_a_list_holds_and_no_other_machine_is_reached(state: Path, usual: MicroVmOptions) -> None:
    async def main() -> None:
        async with opened(state, usual, nat=nat()) as (subject, seen):
            listens = function(subject, "listens", LISTENS)
            listening = await seen.sandbox(listens)
            found = await answer(seen, listening, listens, b'{"false": "198.18.0.99"}')
            assert isinstance(found, dict)
            assert found["address"] == subject.runtime._housed[listening].address
            assert found["false"] == "Cannot assign requested address"
            other = f"{found['address']}:{PORT}"
            asks = function(subject, "asks", ASKS, allow=(NAMED, "198.18.0.0/15:1-65535"))
            template = await seen.template(asks)
            sandbox = await seen.sandbox(asks, template)
            assert await told(seen, sandbox, asks, PUBLIC, NAMED, OTHER, other) == {
                PUBLIC: REFUSED, NAMED: THERE, OTHER: "no such name", other: REFUSED,
            }  # fmt: skip
            opens = function(subject, "opens", OPENS)
            shut = await answer(seen, await seen.sandbox(opens), opens)
            assert isinstance(shut, dict)
            assert shut.pop("tap") == "FileNotFoundError"
            assert set(shut.values()) == {"PermissionError"}, shut

    asyncio.run(main())


def test_that_of_the_machine_is_refused(state: Path, usual: MicroVmOptions) -> None:
    async def main() -> None:
        async with opened(state, usual) as (subject, seen):
            report = await seen.born(seen.make(subject.function(Doing.ECHO, network=Network.HOST)))
            assert isinstance(report, SandboxFailed)
            assert report.message == 'a micro-VM cannot have network = "host"'

    asyncio.run(main())


def test_nothing_is_left_of_those_whose_worker_was_killed(state: Path, usual: MicroVmOptions) -> None:
    with killed(state, usual, Network.NAT):
        assert "attacca_nat_0" in outside.left()
    assert claims.clean() == 1
    until(lambda: not outside.left())
    assert claims.FORWARDING.read_text() == "0\n"
