"""A connection to the program in a container, for one request after the other: HTTP/1.1, as it comes and goes."""

import asyncio
import contextlib
import errno
import os
import select
import socket
from typing import Protocol

import httptools

from attacca.guest.channel import FIELDS_MOST, HEAD_BYTES
from attacca.model.invocation import Request
from attacca.model.trace import FIELD

OF_CONNECTION = frozenset({
    b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect",
})  # fmt: skip
REPEATED = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # RFC 9110, 9.2.2
UNSAFE = str.maketrans({" ": "%20", "\r": "%0D", "\n": "%0A", "\t": "%09", "#": "%23"})
QUESTION_MOST = 16_384  # bytes of an answer that are looked at
Fields = tuple[tuple[bytes, bytes], ...]


class Asker(Protocol):
    """Whose request it is just now."""

    is_bodiless: bool  # the answer to HEAD

    def head(self, status: int, fields: Fields) -> None: ...
    def data(self, data: bytes) -> None: ...
    def end(self) -> None: ...
    def broken(self, why: str) -> None:
        """The answer will not come, or not to its end. Nothing comes after this."""

    def press(self, *, is_slow: bool) -> None:
        """The program reads its request slowly, or has caught up."""


class Upstream(asyncio.Protocol):
    """`at` is its socket's descriptor."""

    def __init__(self, at: int) -> None:
        self._peer = select.poll()
        self._peer.register(at, select.POLLIN)
        self._transport: asyncio.Transport | None = None
        self._asker: Asker | None = None
        self.is_used = False  # it has had a request
        self._begin()

    def __repr__(self) -> str:
        state = "closed" if self._transport is None else "asked" if self._asker is not None else "idle"
        return f"<Upstream {state}, {len(self._fields)} fields>"

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._fields: list[tuple[bytes, bytes]] = []
        self._size = 0

    # what it is told

    @property
    def can_be_asked(self) -> bool:
        """The program has not closed it, nor said what nobody asked for."""
        if self._transport is None or self._transport.is_closing():
            return False
        return not self._peer.poll(0)

    def ask(self, asker: Asker, data: bytes) -> None:
        assert self._asker is None, self
        assert self._transport is not None, self
        self._asker, self.is_used = asker, True
        self._transport.write(data)

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def pause(self, *, is_paused: bool) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading() if is_paused else self._transport.resume_reading()

    def close(self) -> None:
        """Whoever asked hears nothing more."""
        self._asker = None
        if self._transport is not None:
            self._transport.abort()

    # what it hears

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "abort")
        self._transport = transport  # type: ignore[assignment]  # uvloop's inherit from nothing

    def data_received(self, data: bytes) -> None:
        if self._asker is None:
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._break("it answered by another protocol than HTTP")
        except httptools.HttpParserError as error:
            self._break(f"what it answered is no HTTP/1.1: {error}")

    def eof_received(self) -> None:
        """An answer without a length ends so."""
        if self._asker is not None and self._is_until_close():
            self._done(is_last=True)

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._break("it closed the connection before its answer was whole")

    def pause_writing(self) -> None:
        if self._asker is not None:
            self._asker.press(is_slow=True)

    def resume_writing(self) -> None:
        if self._asker is not None:
            self._asker.press(is_slow=False)

    # the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        self._size += len(name) + len(value)
        self._fields.append((name, value))
        if self._size > HEAD_BYTES or len(self._fields) > FIELDS_MOST:
            raise httptools.HttpParserError(f"its head has more than {HEAD_BYTES >> 10} KB or {FIELDS_MOST} fields")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200 or self._asker is None:
            return
        kept = tuple((name, value) for name, value in self._fields if name.lower() not in OF_CONNECTION)
        asker = self._asker
        asker.head(status, kept)
        if asker.is_bodiless and self._asker is asker:
            self._done(is_last=not self._parser.should_keep_alive())

    def on_body(self, data: bytes) -> None:
        if self._asker is not None:
            self._asker.data(data)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._fields, self._size = [], 0
        else:
            self._done(is_last=not self._parser.should_keep_alive())

    def _is_until_close(self) -> bool:
        names = {name.lower() for name, _ in self._fields}
        return bool(names) and not names & {b"content-length", b"transfer-encoding"}

    def _done(self, *, is_last: bool) -> None:
        asker, self._asker = self._asker, None
        if is_last and self._transport is not None:
            self._transport.close()
        self._begin()
        if asker is not None:
            asker.end()

    def _break(self, why: str) -> None:
        asker, self._asker = self._asker, None
        if self._transport is not None:
            self._transport.abort()
        if asker is not None:
            asker.broken(why)


def head_of(request: Request, port: int) -> tuple[bytes, bool]:
    """The head of a request, and whether its body goes in chunks."""
    path = (request.path or "/").translate(UNSAFE)
    target = f"{path}?{request.query.translate(UNSAFE)}" if request.query else path
    lines = [f"{request.method} {target} HTTP/1.1".encode("latin-1", "replace")]
    given = {name for name, _ in request.headers}
    length = b""
    for name, value in request.headers:
        if name == b"content-length":
            length = value
        elif name not in OF_CONNECTION and name != b"content-type":
            lines.append(name + b": " + value)
    if request.trace and FIELD not in given:
        lines.append(FIELD + b": " + request.trace.encode("latin-1", "replace"))
    if b"host" not in given:
        lines.append(b"host: localhost:%d" % port)
    if request.content_type:
        lines.append(b"content-type: " + request.content_type.encode("latin-1", "replace"))
    if not request.more:
        length = b"%d" % len(request.body)
    is_chunked = not length
    lines.append(b"transfer-encoding: chunked" if is_chunked else b"content-length: " + length)
    return b"\r\n".join((*lines, b"", b"")), is_chunked


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST = b"0\r\n\r\n"


class Question:
    """An Asker with a request of our own, whose answer is a future."""

    is_bodiless = False

    def __init__(self) -> None:
        self.answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._status, self._body = 0, b""

    def __repr__(self) -> str:
        return f"<Question {'answered' if self.answer.done() else 'asked'}>"

    def head(self, status: int, _: Fields) -> None:
        self._status = status

    def data(self, data: bytes) -> None:
        self._body = (self._body + data)[:QUESTION_MOST]

    def end(self) -> None:
        if not self.answer.done():
            self.answer.set_result((self._status, self._body))

    def broken(self, why: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(ConnectionError(why))

    def press(self, *, is_slow: bool) -> None: ...


async def get(upstream: Upstream, path: str, port: int) -> tuple[int, bytes]:
    """The status and the beginning of the body.

    Raises:
        OSError: there is no answer.
    """
    question = Question()
    upstream.ask(question, head_of(Request(method="GET", path=path), port)[0])
    return await question.answer


def is_open(sock: socket.socket, port: int) -> bool:
    """Whether somebody listens there, who is connected to then. A socket that was refused can be used again: what looks
    each millisecond does not enter another's network each time.

    Raises:
        OSError: it can be used no more.
    """
    sock.settimeout(0)
    target = ("127.0.0.1", port)
    for _ in range(2):  # within one machine the answer is there when the question has been asked
        found = sock.connect_ex(target)
    if found in (0, errno.EISCONN):
        if sock.getsockname() == target:
            raise OSError(errno.EADDRINUSE, "it has called itself")
        return True
    if found in (errno.ECONNREFUSED, errno.EINPROGRESS, errno.EALREADY):
        return False
    raise OSError(found, os.strerror(found))


async def connect(sock: socket.socket, port: int, host: str = "127.0.0.1") -> Upstream:
    """To the program, from a socket in its network, or one that leads to it.

    Raises:
        OSError: nobody listens.
    """
    sock.settimeout(0)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (host, port))
    except BaseException:
        sock.close()
        raise
    return await begun(sock)


async def begun(sock: socket.socket) -> Upstream:
    """Over a socket that is connected, and ours from here on.

    Raises:
        OSError: it is no more.
    """
    try:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _, upstream = await asyncio.get_running_loop().create_connection(lambda: Upstream(sock.fileno()), sock=sock)
    except BaseException:
        sock.close()
        raise
    return upstream
