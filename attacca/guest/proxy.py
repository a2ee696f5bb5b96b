"""What a program serves on its $PORT, as a WSGI application: each request goes to it, and its answer comes as it sends
it. The client is as small as one sandbox needs it: `http.client` brings what parses mail, and TLS."""

import select
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

if TYPE_CHECKING:
    from attacca.guest.program import Program

BLOCK = 65_536
HEAD_MOST = 65_536  # bytes
PLAIN = "/:@!$&'()*+,;=~"  # of a path, besides letters and digits
OF_CONNECTION = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
)
BODILESS = (204, 304)
REPEATED = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # RFC 9110, 9.2.2


class Broken(ConnectionError):
    """What the program sent is no answer, or not all of one."""


class Stale(Broken):
    """It had closed the connection before it heard of the request."""


class Upstream:
    """A connection to the program, for one request after the other."""

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = b""
        self._fields: dict[str, str] = {}  # of the answer
        self._is_last = False  # the program closes after this answer
        self.is_kept = False  # another request may follow

    def __repr__(self) -> str:
        return f"<Upstream {'kept' if self.is_kept else 'in use'}, {len(self._data)} bytes read ahead>"

    def close(self) -> None:
        self.is_kept = False
        self._sock.close()

    def has_ended(self) -> bool:
        """The program has closed it, or says something that nobody asked for, while nobody used it."""
        return bool(self._data) or bool(select.select([self._sock], [], [], 0)[0])

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def head(self) -> tuple[str, list[tuple[str, str]]]:
        """The status with its reason, and the fields.

        Raises:
            Stale: there is none, and nothing of it.
            Broken: it is none.
        """
        # Who sends head and body apart waits in between for an acknowledgement, which would be kept back for 40 ms.
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        while True:
            lines = self._until(b"\r\n\r\n").split(b"\r\n")
            version, _, status = lines[0].decode("latin-1").partition(" ")
            if not version.startswith("HTTP/1.") or not status[:3].isdigit():
                raise Broken(f"it answered no HTTP/1.1, but {lines[0][:40]!r}")
            if not status.startswith("1"):
                break
        fields = [(name.strip(), value.strip()) for name, _, value in (_parted(line) for line in lines[1:])]
        self._fields = {name.lower(): value for name, value in fields}
        wishes = self._fields.get("connection", "" if version == "HTTP/1.1" else "close").lower()
        self._is_last = "close" in wishes
        return status, fields

    def body(self, method: str, status: int) -> Iterator[bytes]:
        """As it comes. At its end `is_kept` is right.

        Raises:
            Broken: it ended before its end.
        """
        length = self._fields.get("content-length")
        if method == "HEAD" or status in BODILESS:
            pass
        elif self._fields.get("transfer-encoding", "").lower() == "chunked":
            yield from self._chunks()
        elif length is not None and length.isascii() and length.isdecimal():
            yield from self._exactly(int(length))
        else:
            self._is_last = True
            while data := self._take():
                yield data
        self.is_kept = not self._is_last

    def _chunks(self) -> Iterator[bytes]:
        while size := _size(self._until(b"\r\n")):
            yield from self._exactly(size)
            self._until(b"\r\n")
        while self._until(b"\r\n"):  # trailers
            pass

    def _exactly(self, left: int) -> Iterator[bytes]:
        while left:
            data = self._take()
            if not data:
                raise Broken(f"its answer ended {left} bytes before its end")
            if len(data) > left:
                data, self._data = data[:left], data[left:]
            left -= len(data)
            yield data

    def _take(self) -> bytes:
        data, self._data = self._data, b""
        return data or self._sock.recv(BLOCK)

    def _until(self, end: bytes) -> bytes:
        while (cut := self._data.find(end)) < 0:
            if len(self._data) > HEAD_MOST:
                raise Broken("the head of its answer has no end")
            try:
                data = self._sock.recv(BLOCK)
            except ConnectionError:
                data = b""
            if not data:
                raise Broken("its answer ended in its head") if self._data else Stale("it closed the connection")
            self._data += data
        found, self._data = self._data[:cut], self._data[cut + len(end) :]
        return found


class Proxy:
    """Keeps the connections that nobody uses just now."""

    def __init__(self, program: "Program") -> None:
        self._program = program
        self._idle: list[Upstream] = []

    def __repr__(self) -> str:
        return f"<Proxy to {self._program}, {len(self._idle)} connections idle>"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        method, body = environ["REQUEST_METHOD"], environ["wsgi.input"]
        upstream, (status, fields) = self._ask(environ, body)
        try:
            start_response(status, [pair for pair in fields if pair[0].lower() not in OF_CONNECTION])
            yield from upstream.body(method, int(status[:3]))
        finally:
            if upstream.is_kept:
                self._idle.append(upstream)
            else:
                upstream.close()

    def _ask(self, environ: dict[str, Any], body: Any) -> tuple[Upstream, tuple[str, list[tuple[str, str]]]]:
        """What may be asked twice and is at hand whole goes out once more where the program closed the connection."""
        length = environ.get("CONTENT_LENGTH")
        first = body.read1(BLOCK) if length is None else body.read(BLOCK)
        is_whole = not first if length is None else len(first) == int(length)
        while True:
            upstream, is_new = self._upstream()
            try:
                self._send(upstream, environ, first, body, is_whole=is_whole)
                return upstream, upstream.head()
            except (Stale, BrokenPipeError, ConnectionResetError):
                upstream.close()
                if is_new or not is_whole or environ["REQUEST_METHOD"] not in REPEATED:
                    raise

    def _upstream(self) -> tuple[Upstream, bool]:
        """A connection, and whether it is a new one."""
        while self._idle:
            upstream = self._idle.pop()
            if not upstream.has_ended():
                upstream.is_kept = False
                return upstream, False
            upstream.close()
        self._program.ensure()
        return Upstream(self._program.port), True

    @staticmethod
    def _send(upstream: Upstream, environ: dict[str, Any], first: bytes, body: Any, *, is_whole: bool) -> None:
        head = head_of(environ, is_chunked=not is_whole and "CONTENT_LENGTH" not in environ)
        if is_whole or "CONTENT_LENGTH" in environ:
            upstream.send(head + first)
            while not is_whole and (data := body.read(BLOCK)):
                upstream.send(data)
            return
        upstream.send(head + _chunk(first))
        while data := body.read1(BLOCK):
            upstream.send(_chunk(data))
        upstream.send(b"0\r\n\r\n")


def head_of(environ: dict[str, Any], *, is_chunked: bool) -> bytes:
    """A request's, from what WSGI says of it."""
    path = quote_from_bytes(environ["PATH_INFO"].encode("latin-1") or b"/", PLAIN)
    query = f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
    lines = [f"{environ['REQUEST_METHOD']} {path}{query} HTTP/1.1"]
    if "HTTP_HOST" not in environ:
        lines.append("Host: localhost")
    for key, name in (("CONTENT_TYPE", "Content-Type"), ("CONTENT_LENGTH", "Content-Length")):
        if key in environ:
            lines.append(f"{name}: {environ[key]}")
    for key, value in environ.items():
        name = key.removeprefix("HTTP_").replace("_", "-").lower()
        if key.startswith("HTTP_") and name not in OF_CONNECTION:
            lines.append(f"{name.title()}: {value}")
    if is_chunked:
        lines.append("Transfer-Encoding: chunked")
    return "\r\n".join((*lines, "", "")).encode("latin-1", "replace")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _size(line: bytes) -> int:
    try:
        size = int(line.partition(b";")[0], 16)
    except ValueError:
        size = -1
    if size < 0:
        raise Broken("a piece of its answer does not say how long it is")
    return size


def _parted(line: bytes) -> tuple[str, str, str]:
    return line.decode("latin-1").partition(":")
