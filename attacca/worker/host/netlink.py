"""The few requests to the kernel about links, addresses, routes and queues, as rtnetlink(7) has them.

What is asked is bytes, made by functions that know nothing of sockets; several of them go out together, and each is
answered.
"""

import contextlib
import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Sequence
from typing import Self

HEAD, ERROR = struct.Struct("=IHHII"), struct.Struct("=i")
LINK, ADDRESS, ROUTE, NEIGHBOUR, QUEUE = (
    struct.Struct(form) for form in ("=BxHiII", "=BBBBi", "=8BI", "=BxxxiHBB", "=BxxxiIII")
)
ATTRIBUTE = struct.Struct("=HH")
NEWLINK, DELLINK, NEWADDR, DELADDR, NEWROUTE, NEWNEIGH, NEWQDISC = 16, 17, 20, 21, 24, 28, 36
DONE, FAILED = 3, 2  # NLMSG_DONE, NLMSG_ERROR
REQUEST, ACK, EXCL, CREATE, REPLACE = 1, 4, 0x200, 0x400, 0x100
NEW = REQUEST | ACK | CREATE | EXCL
IFF_UP = 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_LINKINFO, IFLA_NET_NS_FD, IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 3, 18, 28, 1, 2
VETH_PEER = 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5
MAIN_TABLE, OF_STATIC, UNICAST, WITHIN_LINK, ANYWHERE, ON_LINK = 254, 4, 1, 253, 0, 4
NDA_DST, NDA_LLADDR, PERMANENT = 1, 2, 0x80
TCA_KIND, TCA_OPTIONS, TBF_PARAMETERS, TBF_BURST = 1, 2, 1, 6
AT_ROOT, OF_ETHERNET = 0xFFFF_FFFF, 1
RATE = struct.Struct("=BBHhHI")  # struct tc_ratespec
RATE_MOST = 0xFFFF_FFFF  # bytes per second that it has room for
WAIT_S = 5.0  # the kernel answers in the call: this is for one that does not
ANSWER = 64 * 1024


def _attribute(kind: int, value: bytes) -> bytes:
    size = ATTRIBUTE.size + len(value)
    return ATTRIBUTE.pack(size, kind) + value + bytes(-size % 4)


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, value.to_bytes(4, "little" if struct.pack("=H", 1)[0] else "big"))


def _request(kind: int, flags: int, body: bytes) -> bytes:
    return HEAD.pack(HEAD.size + len(body), kind, flags, 0, 0) + body


def cable(outer: str, inner: str, outer_mac: bytes, inner_mac: bytes, namespace: int) -> bytes:
    """A pair of interfaces: `outer`, which is up, and `inner` in the network namespace of this descriptor, which the
    kernel would not raise before it is one of a pair."""
    peer = LINK.pack(0, 0, 0, 0, 0) + _text(IFLA_IFNAME, inner) + _attribute(IFLA_ADDRESS, inner_mac)
    data = _attribute(VETH_PEER, peer + _number(IFLA_NET_NS_FD, namespace))
    info = _text(IFLA_INFO_KIND, "veth") + _attribute(IFLA_INFO_DATA, data)
    own = _text(IFLA_IFNAME, outer) + _attribute(IFLA_ADDRESS, outer_mac) + _attribute(IFLA_LINKINFO, info)
    return _request(NEWLINK, NEW, LINK.pack(0, 0, 0, IFF_UP, IFF_UP) + own)


def raised(index: int) -> bytes:
    """The link with this index is up."""
    return _request(NEWLINK, REQUEST | ACK, LINK.pack(0, 0, index, IFF_UP, IFF_UP))


def removal(link: str) -> bytes:
    """Of a link; of a pair both ends go."""
    return _request(DELLINK, REQUEST | ACK, LINK.pack(0, 0, 0, 0, 0) + _text(IFLA_IFNAME, link))


def address(index: int, one: ipaddress.IPv4Address) -> bytes:
    """Of the link with this index, which nobody else shares."""
    body = ADDRESS.pack(socket.AF_INET, 32, 0, 0, index)
    return _request(NEWADDR, NEW, body + _attribute(IFA_LOCAL, one.packed) + _attribute(IFA_ADDRESS, one.packed))


def address_gone(index: int, one: ipaddress.IPv4Address) -> bytes:
    """That link has it no more."""
    body = ADDRESS.pack(socket.AF_INET, 32, 0, 0, index)
    return _request(DELADDR, REQUEST | ACK, body + _attribute(IFA_LOCAL, one.packed))


def route(index: int, to: ipaddress.IPv4Address | None, gateway: ipaddress.IPv4Address | None = None) -> bytes:
    """By the link with this index to one address, or (None) to everywhere."""
    length, scope, flags = (0 if to is None else 32, WITHIN_LINK, 0) if gateway is None else (0, ANYWHERE, ON_LINK)
    body = ROUTE.pack(socket.AF_INET, length, 0, 0, MAIN_TABLE, OF_STATIC, scope, UNICAST, flags)
    body += _attribute(RTA_DST, to.packed) if to is not None else b""
    body += _attribute(RTA_GATEWAY, gateway.packed) if gateway is not None else b""
    return _request(NEWROUTE, REQUEST | ACK | CREATE | REPLACE, body + _number(RTA_OIF, index))


def neighbour(index: int, one: ipaddress.IPv4Address, mac: bytes) -> bytes:
    """Who has this address on that link, so that nobody has to ask."""
    body = NEIGHBOUR.pack(socket.AF_INET, index, PERMANENT, 0, 0)
    return _request(NEWNEIGH, NEW, body + _attribute(NDA_DST, one.packed) + _attribute(NDA_LLADDR, mac))


def bound(index: int, bytes_per_s: int, burst: int, queue: int) -> bytes:
    """What leaves by that link goes at this rate: a token bucket of `burst` bytes, before which `queue` bytes wait."""
    rate = RATE.pack(0, OF_ETHERNET, 0, 0, 0, min(bytes_per_s, RATE_MOST))
    told = rate + bytes(RATE.size) + struct.pack("=III", queue, 0, 0)
    options = _attribute(TBF_PARAMETERS, told) + _number(TBF_BURST, burst)
    body = QUEUE.pack(0, index, 0, AT_ROOT, 0) + _text(TCA_KIND, "tbf") + _attribute(TCA_OPTIONS, options)
    return _request(NEWQDISC, REQUEST | ACK | CREATE | REPLACE, body)


def numbered(requests: Sequence[bytes]) -> bytes:
    """Together, each with its place in the row as its number."""
    out = bytearray()
    for place, request in enumerate(requests, 1):
        size, kind, flags, _, _ = HEAD.unpack_from(request)
        out += HEAD.pack(size, kind, flags, place, 0) + request[HEAD.size :]
        out += bytes(-len(out) % 4)
    return bytes(out)


def answers(data: bytes) -> dict[int, int]:
    """From what the kernel says: by the number of the request its error, 0 for none. What is no answer is passed
    over."""
    found, at = {}, 0
    while at + HEAD.size <= len(data):
        size, kind, _, number, _ = HEAD.unpack_from(data, at)
        if size < HEAD.size or at + size > len(data):
            break
        if kind == FAILED and size >= HEAD.size + ERROR.size:
            found[number] = -ERROR.unpack_from(data, at + HEAD.size)[0]
        at += size + (-size % 4)
    return found


class Netlink:
    """Of the network namespace in which it was made. Blocking, for the fraction of a millisecond that it takes."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.settimeout(WAIT_S)
        self._socket.bind((0, 0))

    def __repr__(self) -> str:
        return f"<Netlink {self._socket.fileno()}>"

    def ask(self, *requests: bytes) -> None:
        """All of them, in this order.

        Raises:
            OSError: one was refused; those behind it were tried too.
        """
        self.ask_together(numbered(requests), len(requests))

    def ask_together(self, data: bytes, count: int) -> None:
        """So many that are `numbered` already. Raises as `ask` does."""
        self._socket.send(data)
        found: dict[int, int] = {}
        while len(found) < count:
            found |= answers(self._socket.recv(ANSWER))
        for number in sorted(found):
            if found[number]:
                raise OSError(found[number], f"netlink: {os.strerror(found[number])} (request {number})")

    def remove(self, link: str) -> None:
        """If it is there."""
        with contextlib.suppress(OSError):
            self.ask(removal(link))

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def index_of(link: str) -> int:
    """Of a link of the network namespace that we are in.

    Raises:
        OSError: there is none.
    """
    try:
        return socket.if_nametoindex(link)
    except OSError:
        raise OSError(errno.ENODEV, f"there is no link {link}") from None


def links() -> list[str]:
    """The names of all links of the network namespace that we are in."""
    return [name for _, name in socket.if_nameindex()]
