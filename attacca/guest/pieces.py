"""Answers and requests in pieces, where a thread may wait: on its own, or beside others on the same channel."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

from attacca.guest import channel as wire
from attacca.guest import deferred
from attacca.guest.answers import Stream

if TYPE_CHECKING:
    from typing import Protocol

    class Responder(Protocol):  # a sandbox does without it
        """Who answers for the function, as far as an answer in pieces has to do with it."""

        write: wire.Write

        def close_books(self, number: int) -> None: ...
        def send(
            self, number: int, took: float, status: int, content_type: bytes, headers: bytes, body: bytes
        ) -> None: ...
        def report(self, number: int, error: BaseException) -> None: ...
        def fail(self, number: int, error: BaseException, began: float) -> None: ...
        def run_to_end(self, result: Any) -> Any: ...


PIECE_MOST = 256 << 10  # bytes of a frame
END: Any = object()


class Gone(ConnectionError):
    """Nobody waits for the answer any more."""


class Line:
    """What the worker says of one invocation while it runs. In a sandbox that runs one at a time `pull` reads the next
    frame; where several run, somebody else reads, and whoever waits is woken."""

    def __init__(self, pull: Callable[[], None] | None, has_more: Callable[[], bool] | None = None) -> None:
        self._pull, self._has_more = pull, has_more
        self._moved = threading.Condition()
        self._bodies: deque[bytes] = deque()
        self.has_all = False  # of the request's body
        self.is_over = self._is_paused = False

    def __repr__(self) -> str:
        state = "over" if self.is_over else "paused" if self._is_paused else "open"
        return f"<Line {state}, {len(self._bodies)} pieces, {'all' if self.has_all else 'more to come'}>"

    def hear(self, kind: int, payload: bytes) -> None:
        with self._moved:
            if kind in (wire.BODY, wire.BODY_END):
                self._bodies.append(payload)
                self.has_all = kind == wire.BODY_END
            elif kind in (wire.PAUSE, wire.RESUME):
                self._is_paused = kind == wire.PAUSE
            elif kind in (wire.GONE, wire.STOP):
                self.is_over = True
            self._moved.notify_all()

    def _wait_for(self, is_so: Callable[[], Any]) -> None:
        if self._pull is None:
            with self._moved:
                self._moved.wait_for(is_so)
        else:
            while not is_so():
                self._pull()

    def next_body(self) -> bytes:
        """The next piece of the request's body; empty at its end.

        Raises:
            Gone: it will not come.
        """
        self._wait_for(lambda: self._bodies or self.has_all or self.is_over)
        if self._bodies:
            return self._bodies.popleft()
        if self.has_all:
            return b""
        raise Gone("the client went away in the middle of its request")

    def flow(self) -> None:
        """Return when the client can take more.

        Raises:
            Gone: it cannot any more.
        """
        if self._pull is not None and self._has_more is not None:
            while self._has_more():
                self._pull()
        elif self._is_paused:
            self._wait_for(lambda: self.is_over or not self._is_paused)
        if self.is_over:
            raise Gone("the client went away")


class Reply:
    """An answer that goes out piece by piece."""

    def __init__(self, server: "Responder", line: Line, number: int, began: float) -> None:
        self._server, self._line, self._number, self._began = server, line, number, began
        self.has_begun = False

    def __repr__(self) -> str:
        return f"<Reply {self._number} {'begun' if self.has_begun else 'not begun'}, {self._line}>"

    def _head(self, status: int, content_type: bytes, headers: bytes) -> tuple[bytes, bytes, bytes]:
        took = (monotonic() - self._began) * 1e3
        return wire.RESULT_HEAD.pack(took, status, len(content_type), len(headers)), content_type, headers

    def begin(self, status: int, content_type: bytes, headers: bytes) -> None:
        self.has_begun = True
        self._server.write(wire.RESPONSE_HEAD, self._number, *self._head(status, content_type, headers))

    def write(self, data: bytes) -> None:
        """
        Raises:
            Gone: nobody reads it.
        """
        for at in range(0, len(data), PIECE_MOST):
            self._line.flow()
            self._server.write(wire.RESPONSE_BODY, self._number, data[at : at + PIECE_MOST])

    def end(self) -> None:
        self._server.close_books(self._number)
        self._server.write(wire.RESPONSE_END, self._number, *self._head(0, b"", b""))

    def send_whole(self, status: int, content_type: bytes, headers: bytes, body: bytes) -> None:
        took = (monotonic() - self._began) * 1e3
        self._server.send(self._number, took, status, content_type, headers, body)

    def fail(self, error: BaseException) -> None:
        """Somebody's code raised. An answer that has begun is broken off, and what broke it is in the log."""
        if self.has_begun:
            self._server.report(self._number, error)
        self._server.fail(self._number, error, self._began)


def pour(server: "Responder", line: Line, number: int, stream: Stream, began: float) -> None:
    """Send what a handler makes piece by piece, as it makes it."""
    reply, writer = Reply(server, line, number, began), deferred.load("results").Writer(stream.content_type)
    try:
        for piece in iterate(server, stream.pieces):
            data = writer.write(piece)
            if not reply.has_begun:
                reply.begin(stream.status, writer.content_type, stream.headers)
            reply.write(data)
    except Gone:
        finish(server, number, stream.close)
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, the sandbox lives on
        finish(server, number, stream.close)
        reply.fail(error)
        return
    else:
        finish(server, number, stream.close)
    if reply.has_begun:
        reply.end()
    else:
        reply.send_whole(stream.status, stream.content_type, stream.headers, b"")


def iterate(server: "Responder", pieces: Any) -> Iterator[Any]:
    if not hasattr(pieces, "__aiter__"):
        yield from pieces
        return
    following = pieces.__aiter__()
    while (piece := server.run_to_end(anext(following, END))) is not END:
        yield piece


def finish(server: "Responder", number: int, close: Any) -> None:
    """What is to be done last is the user's code too, and cannot change the answer any more."""
    if not callable(close):
        return
    try:
        found = close()
        if hasattr(found, "__await__"):
            server.run_to_end(found)
    except BaseException as error:  # noqa: BLE001 - it is for the log
        server.report(number, error)
