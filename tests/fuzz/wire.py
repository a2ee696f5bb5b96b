"""A gateway on a wire without sockets, time or chance: bytes in, bytes out, and what the worker was asked."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any, NamedTuple

import msgspec

from attacca.gateway.config import GatewayConfig
from attacca.gateway.dialects.speaking import speak
from attacca.gateway.driver import Gateway
from attacca.gateway.http.asgi_adapter import AsgiApp
from attacca.gateway.http.connection import Connection
from attacca.gateway.http.server import HttpServer
from attacca.kernel.clock import ManualClock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.events import FunctionReplied
from attacca.model.function import Revision
from attacca.model.invocation import Invocation, Outcome, Start, Timing
from attacca.model.messages import (
    Body,
    Catalogue,
    Dispatch,
    Ended,
    Flow,
    Started,
    ToWorker,
    WatchIdle,
    Withdraw,
    WorkerJoined,
)
from tests.gateway.play import view

TURNS = 5000  # of the loop, in which whoever is slow has caught up
CALM = 12  # turns without a word, after which there is none to come
FOREVER_S = 1000.0
SWEEPS = 6

Answers = Callable[["Desk", Invocation, bytes], None]


class Understood(NamedTuple):
    """A whole request, as the worker was given it."""

    function: str
    method: str
    path: str
    query: str
    content_type: str
    body: bytes


class Desk:
    """The worker's place: what it was asked, and its words to the gateway."""

    def __init__(self, answers: Answers) -> None:
        self.gateway: Gateway
        self.understood: list[Understood] = []
        self._answers = answers
        self._arriving: dict[str, tuple[Invocation, bytearray]] = {}

    def receive(self, _: str, message: ToWorker) -> None:
        match message:
            case Dispatch(invocation=invocation):
                self._arriving[invocation.id] = invocation, bytearray(invocation.request.body)
                self.gateway.receive(Started(invocation.id, "s1", Start.WARM, "", Timing()))
                if not invocation.request.more:
                    self._complete(invocation.id)
            case Body(id=name, data=data, last=last):
                self._arriving[name][1].extend(data)
                self.gateway.receive(Flow(name, paused=True))
                asyncio.get_running_loop().call_soon(self.gateway.receive, Flow(name, paused=False))
                if last:
                    self._complete(name)
            case Withdraw(id=name, outcome=outcome):
                self._arriving.pop(name, None)
                self.end(name, outcome)
            case Flow() | WatchIdle() | FunctionReplied():
                pass

    def end(self, name: str, outcome: Outcome) -> None:
        self.gateway.receive(Ended(name, outcome, 1.0))

    def _complete(self, name: str) -> None:
        invocation, body = self._arriving.pop(name)
        ask = invocation.request
        self.understood.append(
            Understood(invocation.function, ask.method, ask.path, ask.query, ask.content_type, bytes(body))
        )
        self._answers(self, invocation, bytes(body))


class Wire(asyncio.Transport):
    """The server's end of a connection. It writes down what is written, and how it ends."""

    def __init__(self, server: HttpServer) -> None:
        super().__init__()
        self.out = bytearray()
        self.is_lost = self.has_ended = self._is_closing = False
        self.is_read = True
        self.ended = asyncio.Event()
        self.protocol = Connection(server)
        self.protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.has_ended, "it writes behind the end"
        self.out += data

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        for data in list_of_data:
            self.write(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True
        self.ended.set()

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = self.has_ended = True
            asyncio.get_running_loop().call_soon(self._lose)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        assert not self._is_closing, "it stops reading what has ended"
        assert self.is_read, "it stops reading twice"
        self.is_read = False

    def resume_reading(self) -> None:
        assert not self._is_closing, "it goes on reading what has ended"
        assert not self.is_read, "it goes on reading twice"
        self.is_read = True

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def _lose(self) -> None:
        if not self.is_lost:
            self.is_lost = True
            self.ended.set()
            self.protocol.connection_lost(None)

    # The client's side.

    async def feed(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            for _ in range(TURNS):
                if self.is_read:
                    break
                await asyncio.sleep(0)
            assert self.is_read, "it stops reading for good, and nobody is slow"
            if self._is_closing:
                break
            self.protocol.data_received(piece)
            if len(pieces) > 1:
                await asyncio.sleep(0)
        await self.settle()

    async def hang_up(self) -> None:
        if not self._is_closing and not self.protocol.eof_received():
            self.close()
        await self.settle()
        if not self.is_lost:
            self.close()
            await self.settle()

    async def leave_at_once(self, data: bytes) -> None:
        """All that was sent, and nobody waits for the answer."""
        self.protocol.data_received(data)
        self._is_closing = self.has_ended = True
        self._lose()
        await self.settle()

    async def settle(self) -> None:
        """Until nothing more comes of what was sent."""
        calm, before = 0, -1
        while calm < CALM:
            await asyncio.sleep(0)
            calm, before = (calm + 1, before) if len(self.out) == before else (0, len(self.out))


class Place:
    """A gateway with functions, which any number of connections come to, one after the other."""

    def __init__(
        self, config: GatewayConfig, functions: Sequence[Revision], answers: Answers, admin: AsgiApp | None = None
    ) -> None:
        self.loop = asyncio.new_event_loop()
        self.trouble: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.trouble.append(context))
        self.clock = ManualClock(1e6)
        self.desk = Desk(answers)
        chance, config = Streams(1), msgspec.structs.replace(config, silent_s=inf)
        self.gateway = Gateway(
            config, self.clock, Ids(chance.stream("ids")), chance.stream("balancing"), self.desk.receive
        )
        self.gateway.receive(Catalogue(1, tuple(functions)))
        self.gateway.receive(WorkerJoined(view("worker")))
        self.desk.gateway = self.gateway
        self.names = [revision.function for revision in functions]
        self.server = HttpServer(self.gateway, config, admin, lambda: True, None)
        speak(self.server)

    def close(self) -> None:
        self.loop.close()

    def connect(self) -> Wire:
        self.desk.understood.clear()
        self.trouble.clear()
        return Wire(self.server)

    async def wait_for_its_end(self, wire: Wire) -> None:
        """However slow a client is, it does not have its connection for ever."""
        for _ in range(SWEEPS):
            if wire.is_lost:
                return
            self.clock.time += FOREVER_S
            self.server.now = self.clock.now()
            self.gateway.tick()
            wire.protocol.sweep(self.server.now, is_ending=False)
            await wire.settle()
        assert wire.is_lost, "a client has its connection for ever"

    def is_as_before(self) -> None:
        assert self.gateway.busy() == 0, "an invocation is left over"
        assert not self.server.connections, "a connection is left over"
        for name in self.names:
            function = self.gateway.find(name)
            assert function is not None
            assert (function.waiting, function.running) == (0, 0), "a count is left over"
        if self.trouble:
            raise self.trouble[0].get("exception") or AssertionError(self.trouble[0]["message"])
