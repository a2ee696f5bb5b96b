"""Whom a request comes from, and how much of what proxies say is believed."""

import pytest

from attacca.gateway.config import GatewayConfig
from attacca.gateway.http.proxies import Proxies
from tests.cases import each

NEAR = ("127.0.0.1", 5123)
PROXIES = Proxies(["127.0.0.0/8", "::1", "10.0.0.0/8"])


def told(peer: tuple[str, int] | None = NEAR, **fields: str) -> tuple[str, int, str, bytes]:
    return PROXIES.origin(
        peer, [(f"x-forwarded-{name.rstrip('_')}".encode(), value.encode()) for name, value in fields.items()]
    )


def test_without_a_proxy_it_is_the_peer() -> None:
    assert told() == ("127.0.0.1", 5123, "http", b"")
    assert told(None) == ("", 0, "http", b"")


def test_what_a_stranger_says_of_himself_is_not_believed() -> None:
    assert told(("203.0.113.7", 9), for_="1.2.3.4", proto="https", host="evil") == ("203.0.113.7", 9, "http", b"")
    assert told(("::2", 9), proto="https") == ("::2", 9, "http", b"")


def test_a_named_proxy_is_believed() -> None:
    assert told(for_="203.0.113.7", proto="https", host="shop.example") == ("203.0.113.7", 0, "https", b"shop.example")
    assert told(("::1", 9), for_="2001:db8::1")[0] == "2001:db8::1"
    assert told(("::ffff:127.0.0.1", 9), for_="203.0.113.7")[0] == "203.0.113.7"
    assert told(proto="https") == ("127.0.0.1", 5123, "https", b"")


@each(
    "hops, client",
    [
        ("1.2.3.4, 203.0.113.7", "203.0.113.7"),  # the first is what the client wrote
        ("203.0.113.7, 10.0.0.1", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7, 10.0.0.1, 10.0.0.2", "203.0.113.7"),
        ("10.0.0.1, 10.0.0.2", "10.0.0.1"),  # all of them proxies: the outermost
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("1.2.3.4, unknown", "127.0.0.1"),
        ("unknown, 10.0.0.1", "10.0.0.1"),
        ("", "127.0.0.1"),
        (" , ,203.0.113.7,", "203.0.113.7"),
    ],
)
def test_the_list_is_read_from_its_end_as_far_as_proxies_are_named(hops: str, client: str) -> None:
    assert told(for_=hops)[0] == client


def test_each_proxy_speaks_of_its_own_hop_or_only_the_outermost() -> None:
    chain = "203.0.113.7, 10.0.0.1"
    assert told(for_=chain, proto="https, http")[2] == "https"
    assert told(for_=chain, proto="https")[2] == "https"
    assert told(for_="203.0.113.7", proto="https, http")[2] == "http", "the first is what the client wrote"


def test_nonsense_changes_nothing() -> None:
    assert told(proto="gopher", host="a b") == ("127.0.0.1", 5123, "http", b"")
    long = ", ".join(["10.0.0.1"] * 1000)
    assert told(for_=long)[0] == "10.0.0.1"


def test_a_proxy_is_an_address_or_a_range() -> None:
    assert GatewayConfig(proxies=("10.0.0.1/8", "::1")).proxies == ("10.0.0.1/8", "::1")
    with pytest.raises(ValueError, match="proxies: 'nginx' is no address and no range of them"):
        GatewayConfig(proxies=("nginx",))


def test_it_says_what_it_knows() -> None:
    proxies = Proxies(["10.0.0.0/8", "::1"])
    assert (proxies.knows("10.1.1.1"), proxies.knows("9.9.9.9"), proxies.knows("nonsense")) == (True, False, False)
    assert repr(proxies) == "<Proxies 2 named, 3 peers known>"
