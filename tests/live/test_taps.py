"""What a virtual machine's card leads to: what every sandbox's cable does, whatever its guest's kernel sends."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from ipaddress import IPv4Address

import pytest

from attacca.model.function import Network, Settings
from attacca.worker.host import netlink, tap
from attacca.worker.host.nat.options import NatOptions
from attacca.worker.host.nat.outside import Nat
from attacca.worker.runtime.microvm.cards import Card, Cards
from tests.live import outside
from tests.live.guests import Guest, guest
from tests.live.outside import MACHINE, PORT
from tests.live.test_nat_machine import fetched, sent
from tests.live.whole import until
from tests.worker.host.nat.test_names import asking

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root lays cables out of a machine")
PUBLIC, OTHER, THERE, REFUSED = "192.0.2.7", "192.0.2.8", f"from {MACHINE}", "ECONNREFUSED"
OPEN = Settings(name="f", network=Network.NAT)
RESOLVER = (tap.HERE, 53)


@pytest.fixture(scope="module", autouse=True)
def _machine() -> Iterator[None]:
    with outside.served():
        yield


@contextlib.asynccontextmanager
async def held() -> AsyncIterator[Cards]:
    cards = Cards(Nat(NatOptions(resolvers=(f"{outside.WORLD}:{outside.DNS}",))))
    cards.open()
    try:
        yield cards
    finally:
        await cards.close()
    until(lambda: not outside.left())


@contextlib.asynccontextmanager
async def plugged(cards: Cards, settings: Settings = OPEN, told: list[str] | None = None) -> AsyncIterator[Guest]:
    """One that knows its address."""
    card = await cards.take(settings, ([] if told is None else told).append)
    with contextlib.closing(card), guest(card.namespace) as one:
        assert one.become(card.address) == f"<GuestCard tap0 {card.address}>"
        yield one


async def named(one: Guest, name: str) -> bytes:
    """What its resolver answers."""

    def ask() -> bytes:
        with one.within():
            sock = socket.socket(type=socket.SOCK_DGRAM)
        with sock:
            sock.settimeout(5)
            sock.sendto(asking(name), RESOLVER)
            return sock.recv(512)

    return await asyncio.to_thread(ask)


def test_what_is_public_is_reached_and_nothing_else() -> None:
    told: list[str] = []

    async def main() -> None:
        async with held() as cards, plugged(cards, told=told) as one:
            assert one.called(PUBLIC) == THERE
            for place in ("10.1.2.3", "169.254.169.254", MACHINE, "169.254.1.1", "198.18.0.1"):
                assert one.called(place) == REFUSED, place
            assert one.called(tap.HERE) == REFUSED, "there is nobody but who answers for names"
            assert bytes((192, 0, 2, 7)) in await named(one, "api.example.com")

    asyncio.run(main())
    assert any("10.1.2.3" in text and "it is private" in text for text in told)


def test_a_list_opens_what_it_names_and_nothing_else() -> None:
    async def main() -> None:
        only = Settings(name="f", network=Network.NAT, allow=(f"api.example.com:{PORT}",))
        async with held() as cards, plugged(cards, only) as one:
            assert one.called(PUBLIC) == REFUSED, "before its name was asked for"
            assert bytes((192, 0, 2, 7)) in await named(one, "api.example.com")
            assert one.called(PUBLIC) == THERE
            assert bytes((192, 0, 2, 8)) not in await named(one, "other.example.com")
            assert one.called(OTHER) == REFUSED

    asyncio.run(main())


def test_what_comes_from_another_address_goes_nowhere() -> None:
    """The neighbour's, the machine's, and the one that it had before it was restored elsewhere."""

    async def main() -> None:
        async with held() as cards:
            neighbour: Card = await cards.take(OPEN, print)
            async with plugged(cards) as one:
                for number, false in enumerate((neighbour.address, MACHINE, "192.0.2.99")):
                    with one.within(), netlink.Netlink() as within:
                        within.ask(netlink.address(netlink.index_of(tap.NAME), IPv4Address(false)))
                    assert one.called(PUBLIC, seconds=0.1, source=false) == "no answer"
                    with one.within():
                        sock = socket.socket(type=socket.SOCK_DGRAM)
                    with sock:
                        sock.bind((false, 0))
                        sock.sendto(asking(f"false{number}.example"), (outside.WORLD, outside.DNS))
                assert await named(one, "own.example")
                assert one.called(PUBLIC) == THERE
                assert not any(b"false" in asked for asked in outside.HEARD)
            neighbour.close()

    asyncio.run(main())


def test_one_that_was_restored_has_the_address_that_it_is_told() -> None:
    async def main() -> None:
        async with held() as cards:
            first, second = await cards.take(OPEN, print), await cards.take(OPEN, print)
            with contextlib.closing(first), contextlib.closing(second), guest(second.namespace) as one:
                one.become(first.address)  # of where it was saved
                assert one.called(PUBLIC, seconds=0.1) == "no answer"
                one.become(second.address)
                one.become(first.address)
                one.become(second.address)
                one.become(second.address)
                assert one.called(PUBLIC) == THERE
                assert one.called(PUBLIC, source=first.address) == "EADDRNOTAVAIL"

    asyncio.run(main())


def test_one_does_not_reach_another_nor_does_the_machine() -> None:
    async def main() -> None:
        async with held() as cards:
            card = await cards.take(OPEN, print)
            assert repr(card) == "<Card 198.18.0.1>"
            with contextlib.closing(card), guest(card.namespace) as other, other.socket() as server:
                other.become(card.address)
                server.bind(("", PORT))
                server.listen()
                async with plugged(cards) as one:
                    assert one.called(card.address) == REFUSED
                with pytest.raises(OSError, match=r"timed out|unreachable"):
                    socket.create_connection((card.address, PORT), 0.1)

    asyncio.run(main())


def test_bandwidth_is_bounded_both_ways() -> None:
    """In the time in which a guest without a bound gets all that it wants."""
    wanted, slow = 16 << 20, Settings(name="f", network=Network.NAT, bandwidth_mbps=8.0)

    async def main() -> None:
        async with held() as cards, plugged(cards) as free, plugged(cards, slow) as bound:
            for way in (fetched, sent):
                all_of_it, seconds = way(free, wanted, 60.0)
                assert all_of_it == wanted
                some, _ = way(bound, wanted, seconds)
                assert some < wanted // 2, (way, some, seconds)

    asyncio.run(main())
