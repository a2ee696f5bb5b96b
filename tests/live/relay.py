"""A cable between planes that can be cut: connections pass through it, and end with it."""

import contextlib
import socket
import threading
from collections.abc import Callable


class Relay:
    """`to`: HOST:PORT, where those who come from now on are led."""

    def __init__(self, to: str) -> None:
        self.to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._is_cut = False
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    def __repr__(self) -> str:
        return f"<Relay {self.address}, {len(self._ends)} ends>"

    def cut(self) -> None:
        self._is_cut = True
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def mend(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _begin(self, work: Callable[..., None], *words: socket.socket) -> None:
        thread = threading.Thread(target=work, args=words, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here = self._listener.accept()[0]
                if self._is_cut:
                    here.close()
                    continue
                host, _, port = self.to.rpartition(":")
                try:
                    there = socket.create_connection((host, int(port)))
                except ConnectionError:
                    here.close()
                    continue
                self._ends += [here, there]
                for one, other in ((here, there), (there, here)):
                    self._begin(_pass_on, one, other)


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65_536):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)
    one.close()
