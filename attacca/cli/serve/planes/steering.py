"""To which of the sockets that share a port the kernel gives a new connection: to none whose gateway is away."""

import contextlib
import ctypes
import socket
import struct
from collections.abc import Sequence

from attacca.gateway.http.listener import BACKLOG

ATTACH = 51  # SO_ATTACH_REUSEPORT_CBPF: socket(7)
LOAD, MODULO, IF_EQUAL, RETURN = 0x20, 0x94, 0x15, 0x06  # classic BPF, as linux/filter.h has it
RANDOM = 0xFFFF_F000 + 56  # SKF_AD_OFF + SKF_AD_RANDOM

Step = tuple[int, int, int, int]  # what, where to go if so, where if not, with what


def program(places: Sequence[int]) -> list[Step]:
    """Any of these, each as likely as another."""
    table = [step for at, place in enumerate(places[:-1]) for step in ((IF_EQUAL, 0, 1, at), (RETURN, 0, 0, place))]
    return [(LOAD, 0, 0, RANDOM), (MODULO, 0, 0, len(places)), *table, (RETURN, 0, 0, places[-1])]


def steer(member: socket.socket, places: Sequence[int]) -> None:
    """`member`: any of the sockets; `places`: who gets connections, in the order in which they began to listen.

    Raises:
        OSError: the kernel takes no such program.
    """
    steps = program(places)
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code, len(code))
    member.setsockopt(socket.SOL_SOCKET, ATTACH, struct.pack("@HP", len(steps), ctypes.addressof(buffer)))


class Shared:
    """A socket for each gateway, all at one port, and all open for as long as this is: what waits in the queue of one
    that is away is taken by whoever comes in its place."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = sockets
        self._away: set[int] = set()

    def __repr__(self) -> str:
        return f"<Shared {len(self._sockets)} sockets, {len(self._away)} away>"

    @property
    def port(self) -> int:
        found: int = self._sockets[0].getsockname()[1]
        return found

    def of(self, number: int) -> socket.socket:
        """That of a gateway; one that was handed over is everybody's."""
        return self._sockets[number % len(self._sockets)]

    def lose(self, number: int) -> None:
        """Others get what comes from now on."""
        self._away.add(number)
        self._steer()

    def regain(self, number: int) -> None:
        self._away.discard(number)
        self._steer()

    def close(self) -> None:
        for one in self._sockets:
            one.close()

    def _steer(self) -> None:
        places = [place for place in range(len(self._sockets)) if place not in self._away]
        if places and len(self._sockets) > 1:
            with contextlib.suppress(OSError):  # then who comes to one that is away waits for the next
                steer(self._sockets[0], places)


def listen(host: str, port: int, count: int) -> Shared:
    """
    Raises:
        OSError: somebody else listens there, or nobody can.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    if port:  # also sharing it
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    made: list[socket.socket] = []
    try:
        for _ in range(count):
            made.append(socket.socket(family, kind, protocol))
            made[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            made[-1].bind(made[0].getsockname() if len(made) > 1 else address)
            made[-1].listen(BACKLOG)
    except OSError:
        Shared(made).close()
        raise
    return Shared(made)
