"""Which addresses are this machine's own: all that the kernel keeps for itself, by its tables of routes (rtnetlink(7)).
Anybody may ask, and be told of changes."""

import ipaddress
import socket
import struct
from collections.abc import Iterable

HEAD, ROUTE, ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=8BI"), struct.Struct("=HH")
NEWROUTE, GETROUTE, DONE, FAILED = 24, 26, 3, 2
REQUEST, DUMP = 1, 0x300
RTA_DST, LOCAL, BROADCAST = 1, 2, 3
GROUPS = 0x10 | 0x40  # RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE
ROOM, WAIT_S = 1 << 18, 5.0

Net = ipaddress.IPv4Network


def local(data: bytes) -> tuple[list[Net], bool]:
    """From a part of the kernel's answer; and whether that was the last."""
    found: list[Net] = []
    at = 0
    while at + HEAD.size <= len(data):
        size, kind, _, _, _ = HEAD.unpack_from(data, at)
        if kind in (DONE, FAILED) or size < HEAD.size or at + size > len(data):
            return found, True
        if kind == NEWROUTE:
            found += _one(data[at + HEAD.size : at + size])
        at += size + (-size % 4)
    return found, False


def _one(body: bytes) -> list[Net]:
    family, length, _, _, _, _, _, what, _ = ROUTE.unpack_from(body)
    if family != socket.AF_INET or what not in (LOCAL, BROADCAST):
        return []
    at = ROUTE.size
    while at + ATTRIBUTE.size <= len(body):
        size, kind = ATTRIBUTE.unpack_from(body, at)
        if kind == RTA_DST:
            return [Net((body[at + ATTRIBUTE.size : at + size], length), strict=False)]
        at += max(size + (-size % 4), ATTRIBUTE.size)
    return [Net("0.0.0.0/0")] if length == 0 else []


def own() -> list[Net]:
    """Of the network namespace that we are in, none within another.

    Raises:
        OSError: the kernel does not say.
    """
    found: list[Net] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as sock:
        sock.settimeout(WAIT_S)
        body = ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)
        sock.send(HEAD.pack(HEAD.size + len(body), GETROUTE, REQUEST | DUMP, 1, 0) + body)
        is_last = False
        while not is_last:
            some, is_last = local(sock.recv(ROOM))
            found += some
    return merged(found)


def merged(networks: Iterable[Net]) -> list[Net]:
    return list(ipaddress.collapse_addresses(networks))


def changes() -> socket.socket:
    """Can be read from when they may be others.

    Raises:
        OSError: there are too many descriptors.
    """
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    try:
        sock.bind((0, GROUPS))
        sock.settimeout(0)
    except BaseException:
        sock.close()
        raise
    return sock
