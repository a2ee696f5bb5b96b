import msgspec
import pytest

from attacca.model.egress import MOST, Reach, expect, parse, why
from attacca.model.function import Network, Settings
from tests.cases import each


@each(
    "entry, reach",
    [
        ("api.example.com:443", Reach("api.example.com", "", 443, 443)),
        ("API.Example.com:443", Reach("api.example.com", "", 443, 443)),
        ("*.example.com:80-90", Reach("*.example.com", "", 80, 90)),
        ("localhost:1", Reach("localhost", "", 1, 1)),
        ("_sip.a-b.example:5060/udp", Reach("_sip.a-b.example", "", 5060, 5060, "udp")),
        ("10.0.0.0/8:5432", Reach("", "10.0.0.0/8", 5432, 5432)),
        ("192.0.2.7:8000-8010/tcp", Reach("", "192.0.2.7/32", 8000, 8010)),
        ("0.0.0.0/0:443", Reach("", "0.0.0.0/0", 443, 443)),
    ],
)
def test_entries(entry: str, reach: Reach) -> None:
    assert parse(entry) == reach


@each(
    "entry, why",
    [
        ("", "is not HOST:PORT"),
        ("example.com", "is not HOST:PORT"),
        ("example.com:", "is not HOST:PORT"),
        (":443", "is not HOST:PORT"),
        ("example.com:443\n", "is not HOST:PORT"),
        ("example.com:443 ; accept", "is not HOST:PORT"),
        ('a"b:443', "is not HOST:PORT"),
        ("example.com:443/sctp", "is not HOST:PORT"),
        ("example.com:-1", "is not HOST:PORT"),
        ("größe.example:443", "is not HOST:PORT"),
        ("x" * 400 + ":443", "is not HOST:PORT"),
        ("https://example.com:443", "is IPv6"),
        ("[::1]:443", "is IPv6"),
        ("2001:db8::1:443", "is IPv6"),
        ("example.com:0", "is not in 1-65535"),
        ("example.com:65536", "is not in 1-65535"),
        ("example.com:90-80", "ends before it begins"),
        ("10.0.0.1/8:443", "has host bits set"),
        ("10.0.0.0/33:443", "10.0.0.0/33"),
        ("999.1.1.1:443", "999.1.1.1"),
        ("1.2.3:443", "1.2.3"),
        ("127.0.0.1:443", "which no sandbox reaches"),
        ("169.254.169.254:80", "which no sandbox reaches"),
        ("224.0.0.1:80", "which no sandbox reaches"),
        ("0.0.0.0:80", "which no sandbox reaches"),
        ("*:443", "names no host"),
        ("*.com:443", "everybody below com"),
        ("a.*.com:443", "names no host"),
        ("-a.example:443", "names no host"),
        ("a..example:443", "names no host"),
        ("a.example.:443", "names no host"),
        ("a/b:443", "names no host"),
        ("example.1:443", "names no host"),
        ("x" * 64 + ".example:443", "names no host"),
    ],
)
def test_what_is_no_entry(entry: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(entry)


@each(
    "entry, name, is_meant",
    [
        ("example.com:1", "example.com", True),
        ("example.com:1", "a.example.com", False),
        ("*.example.com:1", "a.example.com", True),
        ("*.example.com:1", "a.b.example.com", True),
        ("*.example.com:1", "example.com", False),
        ("*.example.com:1", ".example.com", False),
        ("*.example.com:1", "evilexample.com", False),
        ("10.0.0.0/8:1", "", False),
    ],
)
def test_names_that_an_entry_means(*, entry: str, name: str, is_meant: bool) -> None:
    assert parse(entry).means(name) is is_meant


@each(
    "said, why",
    [
        ({"allow": ["example.com:443"]}, 'needs network = "nat"'),
        ({"bandwidth_mbps": 1, "network": "host"}, 'needs network = "nat"'),
        ({"allow": ["*"], "network": "nat"}, "is not HOST:PORT"),
        ({"allow": ["a.example:1"] * (MOST + 1), "network": "nat"}, "65 entries, and may have 64"),
        ({"bandwidth_mbps": 0, "network": "nat"}, "> 0"),
        ({"network": "bridge"}, "bridge"),
    ],
)
def test_settings_that_do_not_fit(said: dict[str, object], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert({"name": "f", **said}, Settings)


def test_settings_with_a_way_out() -> None:
    said = {"name": "f", "network": "nat", "allow": ["example.com:443"], "bandwidth_mbps": 8}
    settings = msgspec.convert(said, Settings)
    assert (settings.network, settings.allow, settings.bandwidth_mbps) == (Network.NAT, ("example.com:443",), 8)
    expect(settings.allow)


@each(
    "target, has_list, reason",
    [
        ("169.254.169.254:80 (tcp)", True, "no sandbox reaches what is of a machine or its link"),
        ("10.1.2.3 (icmp)", False, "it is private, and so has to be named in `allow` by its address or network"),
        ("192.0.2.7:80 (tcp)", True, "it is not in `allow`"),
        ("192.0.2.7:80 (tcp)", False, "it is this machine's, or there are too many connections"),
        ("the name a.example", True, "it is not in `allow`"),
    ],
)
def test_why_something_was_refused(*, target: str, has_list: bool, reason: str) -> None:
    assert why(target, has_list=has_list) == reason
