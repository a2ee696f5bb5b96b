"""What the rules have refused, as the kernel tells it one by one (NFLOG): which cable it came by, and where it was to
go."""

import errno
import socket
import struct
from typing import NamedTuple

NETLINK_NETFILTER, ULOG, MESSAGE, CONFIG = 12, 4, 0, 1
HEAD, OF_GROUP, ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("!BBH"), struct.Struct("=HH")
REQUEST, ACK = 1, 4
CFG_CMD, CFG_MODE, CFG_AT_ONCE, BIND, COPY_PACKET = 1, 2, 5, 1, 2
INDEV, PAYLOAD, KIND_BITS = 4, 9, 0x3FFF
COPIED = 64  # bytes of a packet: its heads
ROOM = 1 << 16
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp"}


class Refusal(NamedTuple):
    link: int  # its index
    target: str  # "192.0.2.7:443 (tcp)"


def _attribute(kind: int, value: bytes) -> bytes:
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def orders(group: int) -> list[bytes]:
    """To be told of this group, with the heads of the packets."""
    told = []
    for attribute in (
        _attribute(CFG_CMD, bytes([BIND])),
        _attribute(CFG_MODE, struct.pack("!IBx", COPIED, COPY_PACKET)),
        _attribute(CFG_AT_ONCE, struct.pack("!I", 1)),  # else it is told a second later
    ):
        body = OF_GROUP.pack(socket.AF_UNSPEC, 0, group) + attribute
        told.append(HEAD.pack(HEAD.size + len(body), ULOG << 8 | CONFIG, REQUEST | ACK, 0, 0) + body)
    return told


def listening(group: int) -> socket.socket:
    """In the network namespace that we are in.

    Raises:
        OSError: this kernel tells nobody, or tells somebody else.
    """
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    try:
        sock.settimeout(1.0)
        for order in orders(group):
            sock.send(order)
            answer = sock.recv(ROOM)
            code = struct.unpack_from("=i", answer, HEAD.size)[0]
            if code:
                raise OSError(-code, "nflog")
        sock.settimeout(0)
    except BaseException:
        sock.close()
        raise
    return sock


def heard(sock: socket.socket) -> list[Refusal]:
    """What is there to be read."""
    try:
        return refusals(sock.recv(ROOM))
    except BlockingIOError:
        return []
    except OSError as error:
        if error.errno == errno.ENOBUFS:  # some were too many, and are counted all the same
            return []
        raise


def refusals(data: bytes) -> list[Refusal]:
    """From what the kernel says. What is not of ours is passed over."""
    found, at = [], 0
    while at + HEAD.size <= len(data):
        size, kind, _, _, _ = HEAD.unpack_from(data, at)
        if size < HEAD.size or at + size > len(data):
            break
        if kind == ULOG << 8 | MESSAGE:
            told = _attributes(data[at + HEAD.size + OF_GROUP.size : at + size])
            target = _target(told.get(PAYLOAD, b""))
            if target and len(told.get(INDEV, b"")) == 4:
                found.append(Refusal(int.from_bytes(told[INDEV], "big"), target))
        at += size + (-size % 4)
    return found


def _attributes(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at + ATTRIBUTE.size <= len(data):
        size, kind = ATTRIBUTE.unpack_from(data, at)
        if size < ATTRIBUTE.size or at + size > len(data):
            break
        found[kind & KIND_BITS] = data[at + ATTRIBUTE.size : at + size]
        at += size + (-size % 4)
    return found


def _target(packet: bytes) -> str:
    """Empty: it is no IPv4."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return ""
    start, protocol, address = (packet[0] & 15) * 4, packet[9], ".".join(map(str, packet[16:20]))
    named = PROTOCOLS.get(protocol, f"protocol {protocol}")
    if protocol not in (6, 17) or len(packet) < start + 4:
        return f"{address} ({named})"
    return f"{address}:{int.from_bytes(packet[start + 2 : start + 4], 'big')} ({named})"
