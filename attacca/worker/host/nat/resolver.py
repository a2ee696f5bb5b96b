"""Names for one sandbox: asked within its own network, where nobody else is, and answered by the machine's resolvers.

What a list does not name is not asked for; what it does is let through before the sandbox hears of it.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Sequence

from attacca.model.egress import Reach
from attacca.worker.host.nat import names

HERE = ("127.0.0.53", 53)  # within the sandbox
TEXT = f"nameserver {HERE[0]}\n"  # its /etc/resolv.conf
AT_ONCE = 32  # questions of one sandbox; more are not answered
WAIT_S = 2.0  # for one server
TCP_S = 10.0  # for a whole connection
UDP_MOST, TCP_MOST = 4096, 65_535

Servers = Sequence[tuple[str, int]]
Let = Callable[[Sequence[int], list[tuple[str, int]]], Awaitable[None]]  # places of the list, addresses with seconds


def judged(allow: tuple[Reach, ...], asked: names.Query) -> tuple[int, ...] | int:
    """The places in the list that the name is meant by, none where there is no list; or the code of an answer that
    names nothing."""
    if asked.kind == names.AAAA:
        return names.NO_ERROR  # there is no IPv6
    if not allow:
        return ()
    places = tuple(place for place, one in enumerate(allow) if one.means(asked.name))
    if not places:
        return names.NO_SUCH_NAME
    return places if asked.kind == names.A else names.NO_ERROR


class Resolver(asyncio.DatagramProtocol):
    """`allow` is the list of its function; `let` is awaited before an answer is given; `refused` hears of names that
    the list does not have."""

    def __init__(self, allow: tuple[Reach, ...], servers: Servers, let: Let, refused: Callable[[str], None]) -> None:
        self._allow, self._servers, self._let, self._refused = allow, servers, let, refused
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None
        self._listener: asyncio.Server | None = None

    def __repr__(self) -> str:
        return f"<Resolver {len(self._allow)} entries, {len(self._tasks)} questions>"

    async def open(self, udp: socket.socket, tcp: socket.socket) -> None:
        """Both are bound within the sandbox's network, and belong to the resolver from here on."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, sock=udp)
        self._listener = await asyncio.start_server(self._connected, sock=tcp, limit=TCP_MOST)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        if self._listener is not None:
            self._listener.close()
        for task in self._tasks:
            task.cancel()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's inherit from nothing

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        if len(self._tasks) < AT_ONCE and len(data) <= UDP_MOST:
            self._keep(asyncio.get_running_loop().create_task(self._answer_to(data, address)))

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_to(self, data: bytes, address: tuple[str, int]) -> None:
        answer = await self.answer(data, by_udp)
        if answer and self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(answer, address)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        try:
            if task is not None and len(self._tasks) < AT_ONCE:
                self._keep(task)
                async with asyncio.timeout(TCP_S):
                    while data := await read_one(reader):
                        answer = await self.answer(data, by_tcp)
                        if not answer:
                            break
                        writer.write(len(answer).to_bytes(2, "big") + answer)
                        await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def answer(self, data: bytes, ask: "Ask") -> bytes:
        """Empty: to what is no question there is none."""
        asked = names.question(data)
        if asked is None:
            return b""
        places = judged(self._allow, asked)
        if isinstance(places, int):
            if places == names.NO_SUCH_NAME:
                self._refused(asked.name)
            return names.empty(data, asked, places)
        for server in self._servers:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(WAIT_S):
                    found = await ask(server, data, asked)
                if places and (addresses := names.addresses(found, asked)):
                    await self._let(places, addresses)
                return found
        return names.empty(data, asked, names.FAILED)


Ask = Callable[[tuple[str, int], bytes, names.Query], Awaitable[bytes]]


async def by_udp(server: tuple[str, int], data: bytes, asked: names.Query) -> bytes:
    """
    Raises:
        OSError: nobody is there.
    """
    ours = os.urandom(2)  # what the sandbox has chosen, others may know
    mine = asked._replace(id=int.from_bytes(ours, "big"))
    loop = asyncio.get_running_loop()
    heard: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: _One(mine, heard), remote_addr=server)
    try:
        transport.sendto(ours + data[2:])
        return data[:2] + (await heard)[2:]
    finally:
        transport.close()


class _One(asyncio.DatagramProtocol):
    def __init__(self, asked: names.Query, heard: "asyncio.Future[bytes]") -> None:
        self._asked, self._heard = asked, heard

    def datagram_received(self, data: bytes, _: tuple[str, int]) -> None:
        if not self._heard.done() and names.is_answer(data, self._asked):
            self._heard.set_result(data)

    def error_received(self, error: Exception) -> None:
        if not self._heard.done():
            self._heard.set_exception(error)


async def by_tcp(server: tuple[str, int], data: bytes, asked: names.Query) -> bytes:
    """
    Raises:
        OSError, IncompleteReadError: nobody is there, or says no answer.
    """
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(len(data).to_bytes(2, "big") + data)
        found = await read_one(reader)
        if not names.is_answer(found, asked):
            raise OSError("it answers another question")
        return found
    finally:
        writer.close()


async def read_one(reader: asyncio.StreamReader) -> bytes:
    """Empty at the end.

    Raises:
        IncompleteReadError: it ended within one.
    """
    try:
        size = int.from_bytes(await reader.readexactly(2), "big")
    except asyncio.IncompleteReadError:
        return b""
    return await reader.readexactly(size)
