"""Ports of this machine that lead to containers: a listener for each, there as long as its function has a container,
whose connections go to those that are ready in turn."""

import asyncio
import contextlib
import errno
import socket

from attacca.errors import BadFunction, StartFailed
from attacca.model.function import Network, Settings
from attacca.model.publishing import Published, parse
from attacca.worker.runtime.container.datagrams import Datagrams, Served

AT_ONCE = 1024  # connections of one port
READ = 64 * 1024
TAKEN = "let it publish another port, or end what listens there: ss -ltnp"


class Listener:
    """A port of the machine's. `function` has it."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.holders: set[str] = set()
        self._ready: dict[str, tuple[Served, int]] = {}  # and which port of it
        self._visits: set[asyncio.Task[None]] = set()
        self._opening: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None

    def __repr__(self) -> str:
        held = f"{len(self._ready)} of {len(self.holders)} ready"
        return f"<Listener of {self.function}: {held}, {len(self._visits)} visits>"

    async def open(self, address: str, at: int) -> None:
        """
        Raises:
            StartFailed: somebody else listens there.
        """
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open(address, at))
        await asyncio.shield(self._opening)

    async def _open(self, address: str, at: int) -> None:
        try:
            self._server = await asyncio.start_server(self._come, address, at, limit=READ)
        except OSError as error:
            why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror or error}"
            raise StartFailed(f"port {at} of {address} {why}", TAKEN) from None

    def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._server is not None:
            self._server.close()
        for task in self._visits:
            task.cancel()

    def ready(self, name: str, served: Served, port: int) -> None:
        self._ready[name] = served, port

    def gone(self, name: str) -> None:
        self.holders.discard(name)
        self._ready.pop(name, None)

    async def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if not self._ready or len(self._visits) >= AT_ONCE:
            writer.transport.abort()
            return
        self._visits.add(task)
        task.add_done_callback(self._visits.discard)
        name, (served, port) = next(iter(self._ready.items()))
        self._ready[name] = self._ready.pop(name)  # it is the last again
        with contextlib.suppress(OSError, asyncio.CancelledError):
            sock = served.visit()
            try:
                await relayed(reader, writer, sock, port)
            finally:
                served.left()
        writer.transport.abort()


async def relayed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sock: socket.socket, port: int) -> None:
    """
    Raises:
        OSError: one of both ends is broken, or nobody listens.
    """
    sock.settimeout(0)
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    theirs, to_it = await asyncio.open_connection(sock=sock, limit=READ)
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(pumped(reader, to_it))
            both.create_task(pumped(theirs, writer))
    except* OSError as errors:
        raise OSError("a connection was broken") from errors
    finally:
        to_it.transport.abort()


async def pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until its end, which goes on too.

    Raises:
        OSError: one of both is broken.
    """
    while data := await reader.read(READ):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


class Publishing:
    """`address` is where all of them are."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._listeners: dict[tuple[int, bool], Listener | Datagrams] = {}  # by port, and whether it is UDP's

    def __repr__(self) -> str:
        return f"<Publishing {len(self._listeners)} ports of {self._address}>"

    async def hold(self, name: str, function: str, settings: Settings) -> list[Published]:
        """Those of the container of this name, before it begins.

        Raises:
            BadFunction: they are of no use to it.
            StartFailed: one is somebody else's.
        """
        wanted = published(settings)
        for one in wanted:
            listener = self._listeners.get((one.at, one.is_udp))
            if listener is not None and listener.function != function:
                raise StartFailed(
                    f"port {one.at} of {self._address} is that of the function {listener.function}", TAKEN
                )
            if listener is None:
                listener = (Datagrams if one.is_udp else Listener)(function)
                self._listeners[one.at, one.is_udp] = listener
            listener.holders.add(name)
            await listener.open(self._address, one.at)
        return wanted

    def ready(self, name: str, wanted: list[Published], served: Served) -> None:
        for one in wanted:
            if (listener := self._listeners.get((one.at, one.is_udp))) is not None and name in listener.holders:
                listener.ready(name, served, one.port)

    def gone(self, name: str) -> None:
        """The last one of a function takes its ports away."""
        for key, listener in list(self._listeners.items()):
            listener.gone(name)
            if not listener.holders:
                del self._listeners[key]
                listener.close()


def published(settings: Settings) -> list[Published]:
    """
    Raises:
        BadFunction: its ports are the machine's anyway.
    """
    if settings.publish and settings.network is Network.HOST:
        raise BadFunction('publish is of no use with network = "host"', "leave one of them out")
    return [parse(entry) for entry in settings.publish]
