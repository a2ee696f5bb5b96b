"""What a program serves on its $PORT, as a WSGI application: each request goes to it, and its answer comes as it sends
it."""

import http.client
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

if TYPE_CHECKING:
    from attacca.guest.program import Program

BLOCK = 65_536
PLAIN = "/:@!$&'()*+,;=~"  # of a path, besides letters and digits
OF_CONNECTION = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
)
STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


class Proxy:
    """Keeps the connections that nobody uses just now."""

    def __init__(self, program: "Program") -> None:
        self._program = program
        self._idle: list[http.client.HTTPConnection] = []

    def __repr__(self) -> str:
        return f"<Proxy to {self._program}, {len(self._idle)} connections idle>"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        body = environ["wsgi.input"]
        has_length = "CONTENT_LENGTH" in environ
        whole = body.read() if has_length else None
        connection, answer = self._ask(environ, whole, None if has_length else body)
        kept = False
        try:
            headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in OF_CONNECTION]
            start_response(f"{answer.status} {answer.reason}", headers)
            while data := answer.read1(BLOCK):
                yield data
            answer.close()
            kept = not answer.will_close
        finally:
            if kept:
                self._idle.append(connection)
            else:
                connection.close()

    def _ask(
        self, environ: dict[str, Any], whole: bytes | None, pieces: Any
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        if self._idle:
            connection = self._idle.pop()
            first = pieces.peek(1) if pieces is not None and hasattr(pieces, "peek") else b""
            try:
                return connection, self._send(connection, environ, whole, pieces)
            except STALE:  # it was closed while nobody used it
                connection.close()
                if first:  # a part of the body may be gone
                    raise
        self._program.ensure()
        connection = http.client.HTTPConnection("127.0.0.1", self._program.port)
        return connection, self._send(connection, environ, whole, pieces)

    def _send(
        self, connection: http.client.HTTPConnection, environ: dict[str, Any], whole: bytes | None, pieces: Any
    ) -> http.client.HTTPResponse:
        path = quote_from_bytes(environ["PATH_INFO"].encode("latin-1") or b"/", PLAIN)
        query = environ["QUERY_STRING"]
        connection.putrequest(
            environ["REQUEST_METHOD"],
            f"{path}?{query}" if query else path,
            skip_host=True,
            skip_accept_encoding=True,
        )
        for name, value in _fields(environ):
            connection.putheader(name, value)
        if whole is not None:
            connection.endheaders(whole)
        else:
            first = pieces.read1(BLOCK) if hasattr(pieces, "read1") else pieces.read(BLOCK)
            if first:
                connection.putheader("Transfer-Encoding", "chunked")
                connection.endheaders(_chained(first, pieces), encode_chunked=True)
            else:
                connection.endheaders()
        return connection.getresponse()


def _chained(first: bytes, pieces: Any) -> Iterator[bytes]:
    yield first
    while data := pieces.read1(BLOCK) if hasattr(pieces, "read1") else pieces.read(BLOCK):
        yield data


def _fields(environ: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "HTTP_HOST" not in environ:
        yield "Host", "localhost"
    for key, name in (("CONTENT_TYPE", "Content-Type"), ("CONTENT_LENGTH", "Content-Length")):
        if key in environ:
            yield name, environ[key]
    for key, value in environ.items():
        name = key.removeprefix("HTTP_").replace("_", "-").lower()
        if key.startswith("HTTP_") and name not in OF_CONNECTION:
            yield name.title(), value
