"""How the first process of a micro-VM is spoken to: by ports of virtio-serial, or by those of a vsock.

The ports of a vsock are closed when the machine is restored, and whoever restored it calls again.
"""

import contextlib
import os
import socket
from collections.abc import Callable
from typing import Protocol

from attacca.guest import channel as wire
from attacca.worker.runtime.microvm.inside import kernel, words


class GuestListener(Protocol):
    def accept(self) -> tuple[socket.socket, object]: ...

    def close(self) -> None: ...


class Ports(Protocol):
    are_called_again: bool  # when what they were before is closed

    def open(self, name: str) -> int:
        """The descriptor of the port of that name."""

    def renew(self, name: str, *descriptors: int) -> None:
        """Of what was restored, that these were before."""

    def close(self) -> None:
        """None will be opened or renewed any more, by this process."""


class SerialPorts:
    are_called_again = False

    def __repr__(self) -> str:
        return "<SerialPorts>"

    def open(self, name: str) -> int:
        return kernel.port(name)

    def renew(self, name: str, *descriptors: int) -> None: ...

    def close(self) -> None: ...


def listen(number: int) -> socket.socket:
    listener = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    listener.bind((socket.VMADDR_CID_ANY, number))
    listener.listen(1)
    return listener


class VsockPorts:
    """`listen` has somebody listen to a port of that number."""

    are_called_again = True

    def __init__(self, listen: Callable[[int], GuestListener]) -> None:
        self._listeners = {name: listen(number) for name, number in words.PORTS.items()}

    def __repr__(self) -> str:
        return f"<VsockPorts {len(self._listeners)} listen>"

    def open(self, name: str) -> int:
        """Whoever calls it first, or next."""
        while True:
            with contextlib.suppress(ConnectionError):
                return self._listeners[name].accept()[0].detach()

    def renew(self, name: str, *descriptors: int) -> None:
        opened = self.open(name)
        for one in descriptors:
            os.dup2(opened, one, inheritable=one < 3)
        os.close(opened)

    def close(self) -> None:
        for one in self._listeners.values():
            one.close()
        self._listeners.clear()


class Control:
    """What the worker says to the first process, over whatever comes of the machine."""

    def __init__(self, ports: Ports) -> None:
        self._ports, self._descriptor = ports, ports.open(words.CONTROL)
        self._channel = wire.Channel(self._descriptor, self._descriptor)

    def __repr__(self) -> str:
        return f"<Control {self._channel}>"

    @property
    def reader(self) -> int:
        return self._descriptor

    def close(self) -> None:
        """In another process."""
        os.close(self._descriptor)

    def write(self, kind: int, payload: bytes = b"") -> None:
        self._channel.write(kind, 0, payload)

    def read(self) -> bytes:
        """What comes with the next word.

        Raises:
            Closed: there will be none.
        """
        while True:
            try:
                return self._channel.read()[2]
            except wire.Closed:
                if not self._ports.are_called_again:
                    raise
            self._ports.renew(words.CONTROL, self._descriptor)
            self._channel = wire.Channel(self._descriptor, self._descriptor)
