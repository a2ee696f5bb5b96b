"""Which user owns the other end of a connection from this machine: one exact question to the kernel (sock_diag).

No table is read, so it costs the same however many connections there are. A kernel that cannot answer makes everybody
a stranger, who needs a token.
"""

import asyncio
import ipaddress
import socket
import struct

Address = tuple[str, int]

SOCK_DIAG, BY_FAMILY, ERROR, REQUEST = 4, 20, 2, 1  # NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLMSG_ERROR, NLM_F_REQUEST
HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
ASKED = struct.Struct("=BBBBI")  # the beginning of struct inet_diag_req_v2: family, protocol, extensions, -, states
ENDS = struct.Struct("!HH16s16s")  # of both: ports and addresses, the asked one's own first
ANY_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)  # on any interface
TOLD = struct.Struct("=BBBB")  # the beginning of struct inet_diag_msg: family, state, timer, retransmissions
OWNER = struct.Struct("=IIIII")  # its end: expires, receive queue, send queue, uid, inode
OWNER_AT = HEADER.size + TOLD.size + ENDS.size + len(ANY_COOKIE)
ANY_STATE, ESTABLISHED = 0xFFF, 1
NOBODYS = 0  # the inode of a socket that no process holds any more; its uid says nothing
SIZE = 8192


class Ends:
    """Both ends of one connection, which the kernel is asked for when it matters, and once."""

    __slots__ = ("_is_known", "_theirs", "_transport", "_user")

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._theirs: Address | None = None
        self._user: int | None = None
        self._is_known = False

    def __repr__(self) -> str:
        return f"<Ends {self.theirs} at {self.ours}, user {self._user}>"

    @property
    def theirs(self) -> Address | None:
        if self._theirs is None:
            self._theirs = self._end("peername")
        return self._theirs

    @property
    def ours(self) -> Address | None:
        return self._end("sockname")

    def user(self) -> int | None:
        """Who is at the other end."""
        if not self._is_known:
            self._is_known = True
            theirs, ours = self.theirs, self.ours
            if theirs is not None and ours is not None:
                self._user = uid(theirs, ours)
        return self._user

    def _end(self, which: str) -> Address | None:
        end = self._transport.get_extra_info(which)
        return (end[0], end[1]) if isinstance(end, tuple) else None


def uid(theirs: Address, ours: Address) -> int | None:
    """Who is at the other end; None when it is not of this machine, or cannot be told."""
    ends = packed(theirs, ours)
    if ends is None:
        return None
    family, asked = ends
    message = ASKED.pack(family, socket.IPPROTO_TCP, 0, 0, ANY_STATE) + asked + ANY_COOKIE
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, SOCK_DIAG) as kernel:
            kernel.sendto(HEADER.pack(HEADER.size + len(message), BY_FAMILY, REQUEST, 1, 0) + message, (0, 0))
            told, sender = kernel.recvfrom(SIZE)  # the kernel answers while it is asked
    except OSError:
        return None
    return owner(told, asked) if sender[0] == 0 else None


def packed(theirs: Address, ours: Address) -> tuple[int, bytes] | None:
    """The address family to ask in, and both ends as the kernel writes them; None when they do not go together."""
    try:
        one, other = _plain(theirs[0]), _plain(ours[0])
        if one.version != other.version:
            return None
        family = socket.AF_INET if one.version == 4 else socket.AF_INET6
        return int(family), ENDS.pack(theirs[1], ours[1], one.packed, other.packed)
    except (ValueError, struct.error):
        return None


def _plain(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Where both ends are IPv4 addresses, the kernel keeps them as such, whatever the sockets call themselves."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def owner(told: bytes, asked: bytes) -> int | None:
    """The uid in the kernel's answer. Only an established socket between just these ends counts, and only while some
    process holds it: the kernel shows all others as root's, and has a listening one stand in for what is not there."""
    if len(told) < OWNER_AT + OWNER.size:
        return None
    length, kind, *_ = HEADER.unpack_from(told)
    if kind != BY_FAMILY or length > len(told):
        return None
    family, state, *_ = TOLD.unpack_from(told, HEADER.size)
    ends = told[HEADER.size + TOLD.size : OWNER_AT - len(ANY_COOKIE)]
    if state != ESTABLISHED or not _are_same(family, ends, asked):
        return None
    *_, user, inode = OWNER.unpack_from(told, OWNER_AT)
    return None if inode == NOBODYS else int(user)


def _are_same(family: int, told: bytes, asked: bytes) -> bool:
    if told == asked:
        return True
    if family != socket.AF_INET6:
        return False
    mapped = b"\0" * 10 + b"\xff\xff"  # an IPv6 socket that speaks IPv4
    *ports, one, other = ENDS.unpack(asked)
    return told == ENDS.pack(*ports, mapped + one[:4], mapped + other[:4])
