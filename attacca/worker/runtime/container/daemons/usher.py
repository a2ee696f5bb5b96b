"""The first process of a container of docker's: with a bare interpreter, it goes into the network that it is told, and
who is made "in its network" meanwhile is in that.

    python -I -S usher.py SOCKET

Each order is a message with a descriptor, and is answered by one: empty, or what went wrong. It ends when nobody is at
the other end of the socket any more.
"""

import ctypes
import os
import socket
import sys

NETWORK, NAME = 0x40000000, 0x04000000  # kinds of namespaces, as Linux numbers them
ENTER, LEAVE, CALL = b"enter", b"leave", b"call "  # the last with a name
LARGEST = 4096
_libc = ctypes.CDLL(None, use_errno=True)


def join(descriptor: int, kind: int) -> None:
    if _libc.setns(descriptor, kind) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def called(descriptor: int, name: bytes) -> None:
    """Who has that name space is."""
    back = os.open("/proc/self/ns/uts", os.O_RDONLY | os.O_CLOEXEC)
    try:
        join(descriptor, NAME)
        try:
            socket.sethostname(name.decode())
        finally:
            join(back, NAME)
    finally:
        os.close(back)


def main() -> None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.connect(sys.argv[1])
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    while True:
        order, fds, _, _ = socket.recv_fds(sock, LARGEST, 1)
        if not order:
            return
        said = b""
        try:
            if order == LEAVE:
                join(home, NETWORK)
            elif order == ENTER:
                join(fds[0], NETWORK)
            else:
                called(fds[0], order.removeprefix(CALL))
        except (OSError, IndexError) as error:
            said = str(error).encode()
        for one in fds:
            os.close(one)
        sock.send(said or b"\0")


if __name__ == "__main__":
    main()
