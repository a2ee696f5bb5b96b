"""A gateway's port in memory: no socket, no time that passes by itself, and a loop that is turned by hand."""

import asyncio
from asyncio import base_events
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple, TypeVar, TypeVarTuple, Unpack

import msgspec

from attacca.gateway.config import GatewayConfig
from attacca.gateway.http.access import Allow
from attacca.gateway.http.asgi_adapter import AsgiApp
from attacca.gateway.http.connection import Connection
from attacca.gateway.http.handler import Handler
from attacca.gateway.http.server import HttpServer
from attacca.kernel.clock import ManualClock
from attacca.model.function import Revision, Signature
from attacca.model.invocation import Ok, Outcome
from attacca.model.messages import ResponseBody, ResponseHead
from tests.fuzz.reading import Answer, answers
from tests.gateway.play import gateway, revision

FUNCTIONS = (revision("echo"), revision("f", queue=2), revision("stream", signature=Signature.ASGI))
PEER, HERE = ("127.0.0.1", 50_000), ("127.0.0.1", 8080)
HIGH_WATER = 64 * 1024  # bytes unread at which the writer is told
TURNS_MOST = 10_000
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Nothing:
    """A selector with nothing to wait for."""

    def select(self, timeout: float | None) -> list[Any]:
        return []


class HandLoop(base_events.BaseEventLoop):
    """An event loop without input or output, whose time is a clock's."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock
        self._selector = Nothing()
        self.trouble: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.trouble.append(context))

    def __del__(self) -> None:
        """It holds nothing that would have to be closed."""

    def _process_events(self, event_list: list[Any]) -> None:
        assert event_list == []

    def time(self) -> float:
        return self._clock.now()

    def run_in_executor(self, executor: Any, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> "asyncio.Future[T]":
        """At once, where another loop has a thread for it."""
        done: asyncio.Future[T] = self.create_future()
        done.set_result(func(*args))
        return done

    def do(self, callback: Callable[..., Any], *args: Any) -> None:
        """Call this in the loop, and whatever follows from it."""
        self.call_soon(callback, *args)
        self.turn()

    def turn(self) -> None:
        """Until nothing is left to do before time passes."""
        for _ in range(TURNS_MOST):
            self.call_soon(self.stop)
            self.run_forever()
            if not self._ready:  # type: ignore[attr-defined]
                break
        if self.trouble:
            raise self.trouble[0].get("exception") or AssertionError(self.trouble[0]["message"])


class Listening:
    """A listener, of which the server only asks whether it still listens."""

    def __init__(self) -> None:
        self._is_serving = True

    def close(self) -> None:
        self._is_serving = False

    def is_serving(self) -> bool:
        return self._is_serving


class Line(asyncio.Transport):
    """A connection, as both its ends see it: `out` is what the server has written."""

    def __init__(self, stage: "Stage", begin: Callable[[HttpServer], Any] = Connection) -> None:
        super().__init__()
        self._stage = stage
        self._loop = stage.loop
        self.out = bytearray()
        self.unread = 0
        self.is_slow = False  # the client reads nothing until it is told to
        self.is_read = True
        self.has_ended = self.is_lost = self.is_aborted = self._is_closing = self._is_full = False
        self.connection = begin(stage.server)
        self._seen = 0
        self._methods: list[bytes] = []
        self._loop.do(self.connection.connection_made, self)

    # The server's side.

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.connection = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_closing:
            return
        assert not self.has_ended, "it writes behind the end"
        self.out += data
        if self.is_slow:
            self.unread += len(data)
            if self.unread > HIGH_WATER and not self._is_full:
                self._is_full = True
                self.connection.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        for data in list_of_data:
            self.write(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = self.has_ended = True
            self._loop.call_soon(self._lose)

    def abort(self) -> None:
        self.is_aborted = True
        self.close()

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        assert self.is_read, "it stops reading twice"
        self.is_read = False

    def resume_reading(self) -> None:
        assert not self.is_read, "it goes on reading twice"
        self.is_read = True

    def get_write_buffer_size(self) -> int:
        return self.unread

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": PEER, "sockname": HERE}.get(name, default)

    def _lose(self) -> None:
        if not self.is_lost:
            self.is_lost = True
            self.connection.connection_lost(None)

    # The client's side.

    def send(self, *pieces: bytes) -> "Line":
        for piece in pieces:
            if not self._is_closing:
                self._loop.do(self.connection.data_received, piece)
        return self

    def read(self, size: int) -> None:
        """So much of what was written; below the mark the writer is told."""
        self.unread -= size
        if self._is_full and self.unread <= HIGH_WATER // 4:
            self._is_full = False
            self._loop.do(self.connection.resume_writing)

    def finish(self) -> None:
        """Send nothing more; as an event loop does, the connection is closed where nobody objects."""

        def end() -> None:
            if not self._is_closing and not self.connection.eof_received():
                self.close()

        self._loop.do(end)

    def leave(self) -> None:
        self._is_closing = self.has_ended = True
        self._loop.do(self._lose)

    def answers(self, *methods: bytes) -> list[Answer]:
        """Those that came since this was asked last."""
        data, self._seen = bytes(self.out[self._seen :]), len(self.out)
        return answers(data, list(methods), has_ended=self.has_ended)

    def answer(self, method: bytes = b"GET") -> Answer:
        [answer] = self.answers(method)
        return answer

    def ask(self, *pieces: bytes) -> Answer:
        return self.send(*pieces).answer(pieces[0].split(b" ")[0])


class Told(NamedTuple):
    status: int
    code: str


def error(answer: Answer) -> Told:
    said = msgspec.json.decode(answer.body)["error"]
    assert set(said) >= {"code", "message", "try"}
    return Told(answer.status, said["code"])


class Stage:
    """With the functions echo and f, and an ASGI function called stream; others wait until the test says what happens.

    `handler` is given attacca's own, and becomes the one that is asked.
    """

    def __init__(
        self,
        config: GatewayConfig | None = None,
        *functions: Revision,
        admin: AsgiApp | None = None,
        allow: Allow | None = None,
        is_ready: bool = True,
        handler: Callable[[Handler], Handler] | None = None,
    ) -> None:
        config = config or GatewayConfig()
        self.clock = ManualClock(1e6)
        self.loop = HandLoop(self.clock)
        self.gateway, self.worker, self.calls = gateway(self.clock, *(functions or FUNCTIONS), config=config)
        self.server = HttpServer(self.gateway, config, admin, lambda: is_ready, allow)
        if handler is not None:
            self.server.handler = handler(self.server.handler)
        self.listening = Listening()
        self.loop.do(self.server.open, self.listening)

    def connect(self) -> Line:
        return Line(self)

    def do(self, callback: Callable[..., Any], *args: Any) -> None:
        self.loop.do(callback, *args)

    def run(self, story: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """As far as it comes without time that passes."""
        task = self.loop.create_task(story)
        self.loop.turn()
        return task

    def pass_time(self, seconds: float, *, step_s: float = 0.0) -> None:
        """In steps: what is due in between happens in between."""
        end = self.clock.time + seconds
        while self.clock.time < end:
            self.clock.time = min(self.clock.time + (step_s or seconds), end)
            self.loop.turn()

    # The worker's words.

    @property
    def last(self) -> str:
        """The id of the latest invocation."""
        return self.worker.dispatched[-1].id

    def start(self, name: str = "") -> None:
        self.do(self.worker.started, name or self.last)

    def end(self, outcome: Outcome | None = None, name: str = "") -> None:
        self.do(self.worker.ended, name or self.last, Ok(b"done") if outcome is None else outcome)

    def head(self, *headers: tuple[bytes, bytes], status: int = 200) -> None:
        self.do(self.gateway.receive, ResponseHead(self.last, status, headers))

    def piece(self, data: bytes) -> None:
        self.do(self.gateway.receive, ResponseBody(self.last, data))

    def is_quiet(self) -> None:
        """Nothing is left over when all have gone."""
        assert self.gateway.busy() == 0, "an invocation is left over"
        assert not self.server.connections, "a connection is left over"
        rooms = self.server.rooms
        for budget in (rooms.bodies, rooms.pieces, rooms.answers):
            assert (budget.held, budget.waiting) == (0, 0), "room is left over"
