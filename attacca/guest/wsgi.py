"""WSGI applications (PEP 3333): one call is one request, its body read and its answer written as they come."""

import io
import sys
from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from attacca.guest import channel as wire
from attacca.guest import output
from attacca.guest.answers import Unsendable, head_of
from attacca.guest.payload import Requested, fields_of
from attacca.guest.pieces import Gone, Line, Reply, finish

if TYPE_CHECKING:
    from attacca.guest.serve import Server

BLOCK = 65_536
PORTS = {"http": "80", "https": "443"}


class Body(io.RawIOBase):
    """A request's body while it arrives."""

    def __init__(self, line: Line, first: bytes) -> None:
        self._line, self._rest = line, first
        self._is_at_end = False

    def __repr__(self) -> str:
        return f"<Body {len(self._rest)} bytes at hand, {'all' if self._is_at_end else 'more to come'}>"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest and not self._is_at_end:
            self._rest = self._line.next_body()
            self._is_at_end = not self._rest and self._line.has_all
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


class FileWrapper:
    """`wsgi.file_wrapper`."""

    def __init__(self, file: Any, block: int = BLOCK) -> None:
        self._file, self._block = file, block
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        while data := self._file.read(self._block):
            yield data


class Answering:
    """One answer, from `start_response` to its last byte. What is known to be all of it goes out in one piece."""

    def __init__(self, reply: Reply, most: int) -> None:
        self._reply, self._most = reply, most  # bytes of an answer that is sent whole
        self._head: tuple[int, bytes, bytes] | None = None
        self._expected, self._length = -1, b""  # bytes that it says it will have, and how it says that
        self._held: list[bytes] = []

    def __repr__(self) -> str:
        return f"<Answering {self._head[0] if self._head else 'nothing yet'}, {sum(map(len, self._held))} bytes held>"

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        if exc_info is not None:
            try:
                if self._reply.has_begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # a circle otherwise
        elif self._head is not None:
            raise AssertionError("start_response was called again, without exc_info")
        said = [(str(name), str(value)) for name, value in headers]
        lengths = [value for name, value in said if name.lower() == "content-length"]
        if len(lengths) == 1 and lengths[0].isascii() and lengths[0].isdecimal():
            self._expected, self._length = int(lengths[0]), lengths[0].encode()
            said = [pair for pair in said if pair[0].lower() != "content-length"]
        kind, raw = head_of(said)
        digits = str(status)[:3]
        if not digits.isdigit():
            raise Unsendable(f"the status must begin with a number, like '200 OK', not {status!r}")
        self._head = int(digits), kind, raw
        return self.write

    def write(self, data: bytes) -> None:
        """Send it now."""
        self.add(data)
        self._send()

    def add(self, data: bytes) -> None:
        """Send it now, unless it is all that will come."""
        if self._head is None:
            raise AssertionError("the application sent a body before it called start_response")
        if not isinstance(data, bytes):
            raise Unsendable(f"a WSGI application's body is made of bytes, not of {type(data).__name__}")
        if not data:
            return
        self._held.append(data)
        if self._reply.has_begun or sum(map(len, self._held)) != self._expected:
            self._send()

    def hold(self, data: bytes) -> None:
        self._held.append(data)

    def _send(self) -> None:
        assert self._head is not None
        if not self._reply.has_begun:
            self._reply.begin(*self._said(-1))
        held, self._held = self._held, []
        for data in held:
            self._reply.write(data)

    def end(self) -> None:
        if self._head is None:
            raise AssertionError("the application returned without having called start_response")
        if self._reply.has_begun or sum(map(len, self._held)) > self._most:
            self._send()
            self._reply.end()
        else:
            body = b"".join(self._held)
            self._reply.send_whole(*self._said(len(body)), body)

    def _said(self, size: int) -> tuple[int, bytes, bytes]:
        """The head of an answer of that size. What everybody sees of it need not be said."""
        assert self._head is not None
        status, kind, raw = self._head
        if self._length and size != self._expected:
            raw = wire.with_field(raw, b"content-length", self._length)
        return status, kind, raw


class Application:
    """What a sandbox of a WSGI application answers requests with."""

    def __init__(self, server: "Server") -> None:
        self._server, self._call = server, server.call

    def answer(self, number: int, asked: Requested) -> None:
        server = self._server
        output.current.set(number)
        line = server.line(number)
        reply = Reply(server, line, number, monotonic())
        try:
            told = environ(asked, server.function.name, line, is_shared=server.is_shared)
            self._run(number, Answering(reply, server.max_body), told)
        except Gone:
            reply.end()
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, the sandbox lives on
            reply.fail(error)
        finally:
            del server.lines[number]

    def _run(self, number: int, answering: Answering, told: dict[str, Any]) -> None:
        pieces = self._call(told, answering.start)
        close = getattr(pieces, "close", None)
        try:
            if isinstance(pieces, list | tuple) or getattr(pieces, "streaming", True) is False:  # Django says so
                for piece in pieces:
                    answering.hold(piece)
            else:
                for piece in pieces:
                    answering.add(piece)
        finally:
            finish(self._server, number, close)
        answering.end()


def environ(asked: Requested, function: str, line: Line, *, is_shared: bool) -> dict[str, Any]:
    fields = fields_of(asked)
    host = next((value for name, value in fields if name == "host"), "")
    name, _, port = host.rpartition(":") if host.rpartition(":")[2].isdigit() else (host, "", "")
    told: dict[str, Any] = {
        "REQUEST_METHOD": asked.method,
        "SCRIPT_NAME": f"/function/{function}",
        "PATH_INFO": unquote_to_bytes(asked.path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": asked.query.decode("latin-1"),
        "SERVER_NAME": name or "localhost",
        "SERVER_PORT": port or PORTS.get(asked.scheme, "80"),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": asked.client,
        "REMOTE_PORT": str(asked.port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": asked.scheme,
        "wsgi.input": io.BufferedReader(Body(line, asked.body), BLOCK) if asked.more else io.BytesIO(asked.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": is_shared,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "attacca.invocation": asked.id,
    }
    for field, value in fields:
        if "_" in field:  # it would pass for another that is written with a dash
            continue
        key = field.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        told[key] = f"{told[key]}{'; ' if field == 'cookie' else ','}{value}" if key in told else value
    if not asked.more and asked.body:
        told["CONTENT_LENGTH"] = str(len(asked.body))
    return told
