"""One invocation in a container: a request to its program, and what comes of it as the worker's reports."""

import asyncio
from collections.abc import Callable

from attacca.guest.channel import FIELDS_MOST
from attacca.model.invocation import Failed, Invocation, Ok, Outcome
from attacca.worker.core.reports import Report, RunBody, RunFlow, RunHead
from attacca.worker.runtime.container.upstream import LAST, REPEATED, Fields, Upstream, chunk, head_of

GATHERED = 256 << 10  # bytes: an answer that says it is no longer than that goes on in one piece
TOO_LARGE = "the answer has more than {} MB"
TOO_LARGE_HINT = "let it answer with less, or raise max_response_mb of the server"
HINT = "the program is to answer each request with one HTTP/1.1 response"


class Errand:
    """`ended` is told its outcome, once; `broke` that its connection did, and perhaps the whole container with it."""

    def __init__(
        self,
        sandbox: str,
        invocation: Invocation,
        port: int,
        sink: Callable[[Report], None],
        ended: Callable[["Errand", Outcome], None],
        broke: Callable[["Errand"], None],
        whole: int = 0,
    ) -> None:
        """`whole`: its answer is wanted in one piece, of at most so many bytes."""
        self.invocation = invocation
        self._sandbox, self._sink, self._ended, self._broke = sandbox, sink, ended, broke
        request = invocation.request
        self.is_bodiless = request.method == "HEAD"
        self._is_whole = not request.more
        self._head, self._is_chunked = head_of(request, port)
        self._waiting: list[tuple[bytes, bool]] = []  # of its body, until there is a connection
        self.upstream: Upstream | None = None
        self.connecting: asyncio.Task[None] | None = None
        self._has_begun = self._is_streamed = False  # the answer
        self._is_paused = False
        self.has_been_repeated = False
        self._status, self._kind = 0, b""
        self._fields: Fields = ()
        self._gathered: list[bytes] = []
        self._whole, self._size = whole, 0
        self.why = ""  # its connection broke

    def __repr__(self) -> str:
        state = "broken" if self.why else "answering" if self._has_begun else "asked" if self.upstream else "waiting"
        return f"<Errand {self.invocation.id} {state}>"

    # what goes

    def begin(self, upstream: Upstream) -> None:
        self.upstream = upstream
        body = self.invocation.request.body
        if not self._is_whole and self._is_chunked and body:
            body = chunk(body)
        upstream.ask(self, self._head + body)
        waiting, self._waiting = self._waiting, []
        for data, last in waiting:
            self.send(data, last=last)

    def send(self, data: bytes, *, last: bool) -> None:
        if self.upstream is None:
            self._waiting.append((data, last))
        elif self._is_chunked:
            self.upstream.send((chunk(data) if data else b"") + (LAST if last else b""))
        else:
            self.upstream.send(data)

    def flow(self, *, paused: bool) -> None:
        self._is_paused = paused
        if self.upstream is not None:
            self.upstream.pause(is_paused=paused)

    def close(self) -> None:
        """Nobody waits for it any more."""
        if self.connecting is not None:
            self.connecting.cancel()
        if self.upstream is not None:
            self.upstream.close()

    # what comes

    def head(self, status: int, fields: Fields) -> None:
        self._has_begun = True
        length = -1
        kept = []
        for name, value in fields:
            lower = name.lower()
            if lower == b"content-type":
                self._kind = value
            elif lower == b"content-length":
                length = int(value)
            else:
                kept.append((name, value))
        self._status, self._fields = status, tuple(kept)
        if not self._whole and not 0 <= length <= GATHERED and not self.is_bodiless:
            self._is_streamed = True
            kind = ((b"content-type", self._kind),) if self._kind else ()
            size = ((b"content-length", b"%d" % length),) if length >= 0 else ()
            invocation = self.invocation.id
            self._sink(RunHead(self._sandbox, invocation, status, (*kind, *size, *self._fields)[:FIELDS_MOST]))

    def data(self, data: bytes) -> None:
        if self._is_streamed:
            self._sink(RunBody(self._sandbox, self.invocation.id, data))
            return
        self._size += len(data)
        if self._whole and self._size > self._whole:
            self.close()
            self._ended(self, Failed("response_too_large", TOO_LARGE.format(self._whole >> 20), TOO_LARGE_HINT))
        else:
            self._gathered.append(data)

    def end(self) -> None:
        if self._is_paused and self.upstream is not None:
            self.upstream.pause(is_paused=False)
        if self._is_streamed:
            self._ended(self, Ok(streamed=True))
        else:
            body = b"".join(self._gathered)
            self._ended(self, Ok(body, self._kind.decode("latin-1"), self._status, self._fields))

    def broken(self, why: str) -> None:
        """One that the program may have closed before it heard of this request is worth another try."""
        self.why = why
        self._broke(self)

    @property
    def may_be_repeated(self) -> bool:
        method = self.invocation.request.method
        return not self._has_begun and self._is_whole and method in REPEATED

    def renew(self) -> None:
        self.upstream, self.why, self.has_been_repeated = None, "", True

    def failed(self) -> Failed:
        return Failed("bad_response", self.why, HINT)

    def press(self, *, is_slow: bool) -> None:
        self._sink(RunFlow(self._sandbox, self.invocation.id, is_slow))
