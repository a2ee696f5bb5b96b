"""What waits in another process's sockets.

The kernel tells of TCP and UDP in /proc. What was sent through a Unix socket and not yet read, only the socket itself
tells, so we take a copy of its descriptor for a moment.
"""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Collection, Mapping
from typing import NamedTuple

SYS_PIDFD_GETFD = 438  # on every architecture
TABLES = ("tcp", "tcp6", "udp", "udp6")  # of /proc/PID/net
SENT, WAITING = (
    0x5411,
    0x541B,
)  # SIOCOUTQ: with the kernel's own expense; FIONREAD: the next datagram, or all of a stream
_syscall = ctypes.CDLL(None, use_errno=True).syscall


class Where(NamedTuple):
    """A descriptor of another process."""

    pid: int
    descriptor: int


def used_tables(sockstat: str) -> list[str]:
    """Those of TABLES with anything in them: to write one down the kernel walks through all sockets of the machine."""
    found = []
    for line in sockstat.splitlines():
        name, _, rest = line.lower().partition(": inuse ")
        if name in TABLES and int(rest.split()[0]) > 0:
            found.append(name)
    return found


def queued(table: str, inodes: Collection[int] | None) -> int:
    """Bytes in the queues of sockets in one of TABLES: of these, or of all."""
    total = 0
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) > 9 and (inodes is None or int(words[9]) in inodes):
            total += sum(int(word, 16) for word in words[4].split(":"))
    return total


def unix_inodes(table: str) -> set[int]:
    """From /proc/PID/net/unix."""
    found = set()
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) > 6:
            found.add(int(words[6]))
    return found


def sent(sockets: Mapping[int, Where]) -> int:
    """Bytes that wait in these Unix sockets, by inode: at both ends, where both are among them, or at one."""
    written = unread = 0
    for where in sockets.values():
        one, other = _ask(where)
        written, unread = written + one, unread + other
    return max(written, unread)


def _ask(where: Where) -> tuple[int, int]:
    with contextlib.suppress(OSError), _copy(where) as sock:
        if sock.family == socket.AF_UNIX:
            return _number(sock, SENT), _number(sock, WAITING)
        # Meanwhile it has become another: if we are the last to close it, we must not wait for what it has to send.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
    return 0, 0


def _copy(where: Where) -> socket.socket:
    pidfd = os.pidfd_open(where.pid)
    try:
        copy = _syscall(*map(ctypes.c_long, (SYS_PIDFD_GETFD, pidfd, where.descriptor, 0)))
    finally:
        os.close(pidfd)
    if copy < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def _number(sock: socket.socket, question: int) -> int:
    answer = fcntl.ioctl(sock, question, bytes(4))
    return int(struct.unpack("i", answer)[0])
