import ipaddress
import struct

from attacca.worker.host.nat import homes

Net = ipaddress.IPv4Network


def said(what: int, to: str, *, kind: int = homes.NEWROUTE, family: int = 2) -> bytes:
    network = Net(to)
    target = struct.pack("=HH", 8, homes.RTA_DST) + network.network_address.packed
    table = struct.pack("=HHI", 8, 15, 255)
    body = homes.ROUTE.pack(family, network.prefixlen, 0, 0, 255, 2, 0, what, 0) + table + target
    return homes.HEAD.pack(homes.HEAD.size + len(body), kind, 0, 1, 0) + body


def test_what_the_kernel_keeps_for_itself_is_the_machines() -> None:
    told = said(homes.LOCAL, "192.0.2.7/32") + said(1, "198.51.100.0/24") + said(homes.BROADCAST, "192.0.2.255/32")
    told += said(homes.LOCAL, "203.0.113.0/24") + said(homes.LOCAL, "192.0.2.9/32", family=10)
    assert homes.local(told) == ([Net("192.0.2.7/32"), Net("192.0.2.255/32"), Net("203.0.113.0/24")], False)


def test_the_last_part_says_so() -> None:
    end = homes.HEAD.pack(homes.HEAD.size, homes.DONE, 0, 1, 0)
    assert homes.local(said(homes.LOCAL, "127.0.0.0/8") + end) == ([Net("127.0.0.0/8")], True)


def test_nonsense_ends_it() -> None:
    assert homes.local(b"\0" * 32) == ([], True)
    assert homes.local(said(homes.LOCAL, "127.0.0.0/8")[:-1]) == ([], True)


def test_none_is_within_another() -> None:
    assert homes.merged(map(Net, ("127.0.0.1/32", "127.0.0.0/8", "192.0.2.7/32"))) == [
        Net("127.0.0.0/8"), Net("192.0.2.7/32"),
    ]  # fmt: skip
