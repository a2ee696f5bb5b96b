"""A port of this machine whose datagrams go to containers: who sends has one of them, and its answers, until both have
been silent for a while."""

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Iterator
from typing import Any, Protocol

from attacca.errors import StartFailed

AT_ONCE = 1024  # who send to one port
SILENT_S = 60.0  # after which one is forgotten
LARGEST = 65_535
IN_A_ROW = 64  # datagrams before somebody else has a turn
Address = tuple[Any, ...]  # of IPv6 there is more to it than host and port
TAKEN = "let it publish another port, or end what listens there: ss -lunp"


class Served(Protocol):
    """A container."""

    def visit(self, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """For a connection to a port of its own, or for datagrams, until `left`.

        Raises:
            OSError: it is gone.
        """

    def left(self) -> None: ...


class Sender:
    """Who sends, by its address, and the container that answers it."""

    def __init__(self, address: Address, name: str, served: Served, sock: socket.socket, now: float) -> None:
        self.address, self.name, self.served, self.sock, self.heard_at = address, name, served, sock, now

    def __repr__(self) -> str:
        return f"<Sender {self.address[0]}:{self.address[1]} of {self.name}>"


class Datagrams:
    """A port of the machine's for UDP. `function` has it."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.holders: set[str] = set()
        self._ready: dict[str, tuple[Served, int]] = {}  # and which port of it
        self._senders: dict[Address, Sender] = {}
        self._sock: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        held = f"{len(self._ready)} of {len(self.holders)} ready"
        return f"<Datagrams of {self.function}: {held}, {len(self._senders)} senders>"

    async def open(self, address: str, at: int) -> None:
        """
        Raises:
            StartFailed: somebody else listens there.
        """
        if self._sock is not None:
            return
        family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            sock.bind((address, at))
        except OSError as error:
            sock.close()
            why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror or error}"
            raise StartFailed(f"port {at} of {address} {why} (UDP)", TAKEN) from None
        self._sock, self._loop = sock, asyncio.get_running_loop()
        self._loop.add_reader(sock, self._come)
        self._sweep()

    def close(self) -> None:
        for sender in list(self._senders.values()):
            self._leave(sender)
        if self._timer is not None:
            self._timer.cancel()
        if self._sock is not None:
            self._loop.remove_reader(self._sock)
            self._sock.close()
            self._sock = None

    def ready(self, name: str, served: Served, port: int) -> None:
        self._ready[name] = served, port

    def gone(self, name: str) -> None:
        self.holders.discard(name)
        self._ready.pop(name, None)
        for sender in [one for one in self._senders.values() if one.name == name]:
            self._leave(sender)

    def _come(self) -> None:
        assert self._sock is not None
        for data, address in received(self._sock):
            sender = self._senders.get(address) or self._begin(address)
            if sender is not None:
                sender.heard_at = self._loop.time()
                with contextlib.suppress(OSError):  # it is full, or nobody listens: datagrams may be lost
                    sender.sock.send(data)

    def _begin(self, address: Address) -> Sender | None:
        if not self._ready:
            return None
        if len(self._senders) >= AT_ONCE:
            self._leave(min(self._senders.values(), key=lambda one: one.heard_at))
        name, (served, port) = next(iter(self._ready.items()))
        self._ready[name] = self._ready.pop(name)  # it is the last again
        try:
            sock = served.visit(socket.SOCK_DGRAM)
        except OSError:
            return None
        sock.settimeout(0)
        with contextlib.suppress(OSError):  # nothing is sent by that, and what is sent next fails again
            sock.connect(("127.0.0.1", port))
        sender = self._senders[address] = Sender(address, name, served, sock, self._loop.time())
        self._loop.add_reader(sock, self._answer, sender)
        return sender

    def _answer(self, sender: Sender) -> None:
        for data, _ in received(sender.sock):
            sender.heard_at = self._loop.time()
            if self._sock is not None:
                with contextlib.suppress(OSError):
                    self._sock.sendto(data, sender.address)

    def _leave(self, sender: Sender) -> None:
        del self._senders[sender.address]
        self._loop.remove_reader(sender.sock)
        sender.sock.close()
        sender.served.left()

    def _sweep(self) -> None:
        since = self._loop.time() - SILENT_S
        for sender in [one for one in self._senders.values() if one.heard_at < since]:
            self._leave(sender)
        self._timer = self._loop.call_later(SILENT_S / 4, self._sweep)


def received(sock: socket.socket) -> Iterator[tuple[bytes, Address]]:
    """What has come, but no more than is one turn's."""
    for _ in range(IN_A_ROW):
        try:
            yield sock.recvfrom(LARGEST)
        except BlockingIOError:
            return
        except OSError:  # of one that was sent before: nobody listens there
            continue
