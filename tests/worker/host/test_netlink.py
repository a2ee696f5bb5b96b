import ipaddress
import struct

from attacca.worker.host import netlink
from attacca.worker.host.nat.outside import bucket
from attacca.worker.host.nat.refusals import Refusal, refusals

ONE = ipaddress.IPv4Address("198.18.0.1")


def test_requests_are_as_long_as_they_say_and_aligned() -> None:
    mac = b"\2\0\0\0\0\1"
    told = [
        netlink.cable("attacca0-1", "eth0", mac, mac, 5), netlink.removal("attacca0-1"), netlink.raised(3),
        netlink.address(3, ONE), netlink.address_gone(3, ONE), netlink.route(3, ONE), netlink.route(3, None, ONE),
        netlink.neighbour(3, ONE, mac), netlink.bound(3, 1_000_000, 20_000, 100_000),
    ]  # fmt: skip
    for one in told:
        assert struct.unpack_from("=I", one)[0] == len(one)
    together = netlink.numbered(told)
    at, numbers = 0, []
    while at < len(together):
        size, _, _, number, _ = netlink.HEAD.unpack_from(together, at)
        numbers.append(number)
        at += size + (-size % 4)
    assert numbers == list(range(1, len(told) + 1))


def test_answers_by_the_number_of_the_request() -> None:
    def said(number: int, code: int, kind: int = 2) -> bytes:
        return netlink.HEAD.pack(netlink.HEAD.size + 4, kind, 0, number, 0) + struct.pack("=i", code)

    assert netlink.answers(said(1, 0) + said(9, 0, kind=16) + said(2, -17)) == {1: 0, 2: 17}
    assert netlink.answers(said(1, 0)[:-1]) == netlink.answers(b"") == {}
    assert netlink.answers(netlink.HEAD.pack(3, 2, 0, 1, 0)) == {}


def test_a_bucket_has_room_for_packets_however_slow_it_is() -> None:
    assert bucket(8) == (1_000_000, 20_000, 100_000)
    assert bucket(0.000001) == (1, 16_384, 65_536)
    assert bucket(800) == (100_000_000, 2_000_000, 10_000_000)


def packet(protocol: int, target: bytes, port: int) -> bytes:
    return bytes([0x45]) + bytes(8) + bytes([protocol]) + bytes(6) + target + struct.pack("!HH", 4000, port)


def logged(payload: bytes, index: int = 7) -> bytes:
    def attribute(kind: int, value: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)

    body = bytes(4) + attribute(4, struct.pack("!I", index)) + attribute(9, payload)
    return struct.pack("=IHHII", 16 + len(body), 4 << 8, 0, 0, 0) + body


def test_refusals_are_read_and_what_is_none_is_passed_over() -> None:
    told = logged(packet(6, bytes([192, 0, 2, 7]), 443)) + logged(packet(1, bytes([10, 1, 2, 3]), 0), 8)
    assert refusals(told) == [Refusal(7, "192.0.2.7:443 (tcp)"), Refusal(8, "10.1.2.3 (icmp)")]
    assert refusals(logged(packet(132, bytes(4), 0))) == [Refusal(7, "0.0.0.0 (protocol 132)")]
    for broken in (b"", told[:20], logged(b""), logged(bytes(40)), logged(packet(6, bytes(4), 1))[:-9]):
        assert refusals(broken) == []
