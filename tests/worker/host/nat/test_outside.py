import ipaddress
from pathlib import Path

import pytest

from attacca.model.egress import MOST, parse
from attacca.worker.host.nat.ahead import Outlets
from attacca.worker.host.nat.claims import Claim
from attacca.worker.host.nat.options import NatOptions
from attacca.worker.host.nat.outside import TOLD_MOST, Cable, Nat
from attacca.worker.host.nat.resolver import Resolver
from attacca.worker.host.network import Networks
from attacca.worker.runtime.process.wiring import Wiring

ALLOW = tuple(parse(f"a{number}.example:443") for number in range(MOST))


async def nobody(*_: object) -> None: ...


def line() -> Cable:
    return Cable(1, "attacca3-1", ipaddress.IPv4Address("198.18.48.1"))


def test_they_say_what_they_hold() -> None:
    nat = Nat(NatOptions())
    assert repr(Wiring(nat, lambda _: None)) == "<Wiring 0 lines, 0 being laid>"
    assert repr(nat) == "<Nat not open, 0 lines, 0 lists, 1 holders>"
    assert repr(line()) == "<Cable attacca3-1 198.18.48.1, leads nowhere>"
    assert repr(Resolver(ALLOW, (), nobody, print)) == "<Resolver 64 entries, 0 questions>"
    assert repr(Outlets(Networks(0), nat)) == "<Outlets 0 ready>"
    assert repr(Claim(3, -1, Path("nowhere"))) == "<Claim 3>"


def test_what_was_refused_is_told_once_and_not_without_end() -> None:
    one, told = line(), list[str]()
    one.tell = told.append
    for _ in range(2):
        one.refused("10.1.2.3:80 (tcp)")
    assert len(told) == 1
    for number in range(100):
        one.refused(f"192.0.2.{number}:80 (tcp)")
    assert len(told) == TOLD_MOST + 1
    assert told[-1] == "more was refused, and is not told\n"


@pytest.mark.long
def test_addresses_are_divided_among_workers() -> None:
    blocks = NatOptions().blocks()
    assert (len(blocks), str(blocks[3])) == (32, "198.18.48.0/20")
    assert len(NatOptions(addresses="10.0.0.0/8").blocks()) == 64
