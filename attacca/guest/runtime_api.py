"""Lambda's Runtime API, for the one program of a sandbox: it asks for its next event, and says what came of it.

Everything happens in the calls of `ask` and `turn`; there is no thread.
"""

import base64
import json
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

ROOT = "/2018-06-01/runtime/"
HEAD_MOST = 65_536  # bytes of a request's head
SLACK = 1 << 20  # of a body over the largest answer
LISTENING = 16
READ = 1 << 18
CONNECTIONS, ESTABLISHED = "/proc/self/net/tcp", "01"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
WHOLE = "application/vnd.awslambda.http-integration-response"  # a head as JSON, eight NULs, and a body
GAP = b"\0" * 8
NAME_MOST = 200  # characters of an error's type
UNANSWERED = "bootstrap asked for the next event before it had answered this one"
TEXT_MOST = 4096  # of its message


class Bad(ValueError):
    """A request that cannot be read."""


class Telling:
    """A request of the program's that has come whole."""

    __slots__ = ("body", "fields", "method", "path", "trailers")

    def __init__(self, method: str, path: str, fields: dict[str, str]) -> None:
        self.method, self.path, self.fields = method, path, fields
        self.body = b""
        self.trailers: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Telling {self.method} {self.path}, {len(self.body)} bytes>"


class Reader:
    """Cuts what comes on one connection into requests."""

    __slots__ = ("_data", "_has_continued", "most", "wants_more")

    def __init__(self, most: int) -> None:
        self.most = most
        self._data = bytearray()
        self.wants_more = self._has_continued = False  # the sender waits until it is told to go on

    def __repr__(self) -> str:
        return f"<Reader {len(self._data)} bytes>"

    def feed(self, data: bytes) -> Iterator[Telling]:
        """
        Raises:
            Bad: this is no request, or too large.
        """
        self._data += data
        while (cut := self._data.find(b"\r\n\r\n")) >= 0:
            request = _head(bytes(self._data[:cut]))
            if not self._has_continued and request.fields.get("expect", "").lower() == "100-continue":
                self.wants_more = self._has_continued = True
            end = self._body(request, cut + 4)
            if end < 0:
                return
            del self._data[:end]
            self.wants_more = self._has_continued = False
            yield request
        if len(self._data) > HEAD_MOST:
            raise Bad("the head is too large")

    def _body(self, request: Telling, at: int) -> int:
        """Where it ends, or -1 while there is more to come."""
        if request.fields.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks(request, at)
        said = request.fields.get("content-length", "0")
        if not said.isascii() or not said.isdecimal() or int(said) > self.most:
            raise Bad(f"a body of {said[:20]} bytes; there may be {self.most}")
        end = at + int(said)
        if len(self._data) < end:
            return -1
        request.body = bytes(self._data[at:end])
        return end

    def _chunks(self, request: Telling, at: int) -> int:
        parts: list[slice] = []
        size = 0
        while (cut := self._data.find(b"\r\n", at)) >= 0:
            try:
                length = int(bytes(self._data[at:cut]).partition(b";")[0].strip(), 16)
            except ValueError:
                raise Bad("a chunk without its size") from None
            if length == 0:
                return self._trailers(request, cut, b"".join(self._data[part] for part in parts))
            size += length
            if length < 0 or size > self.most:
                raise Bad(f"a body of more than {self.most} bytes")
            if len(self._data) < cut + 4 + length:
                break
            parts.append(slice(cut + 2, cut + 2 + length))
            at = cut + 4 + length
        return -1

    def _trailers(self, request: Telling, cut: int, body: bytes) -> int:
        if self._data[cut : cut + 4] == b"\r\n\r\n":
            end = cut + 4
        else:
            found = self._data.find(b"\r\n\r\n", cut)
            if found < 0:
                return -1
            request.trailers, end = _fields(bytes(self._data[cut + 2 : found]).split(b"\r\n")), found + 4
        request.body = body
        return end


class Connection:
    """From the program."""

    __slots__ = ("reader", "sock")

    def __init__(self, sock: socket.socket, most: int) -> None:
        self.sock, self.reader = sock, Reader(most)

    def __repr__(self) -> str:
        return f"<Connection {self.reader}>"

    def hear(self) -> list[Telling] | None:
        """What has come whole; None when it has ended.

        Raises:
            Bad: as `Reader.feed`.
            OSError: it is broken.
        """
        data = self.sock.recv(READ)
        if not data:
            return None
        found = list(self.reader.feed(data))
        if self.reader.wants_more:
            self.reader.wants_more = False
            self.sock.sendall(CONTINUE)
        return found

    def answer(self, status: str, headers: tuple[str, ...] = (), body: bytes = b"") -> None:
        """In one piece, because the rest of one that comes in two waits for an acknowledgement."""
        lines = (f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers)
        self.sock.sendall("\r\n".join((*lines, "", "")).encode("latin-1", "replace") + body)


class RuntimeApi:
    """Hands out one event at a time. `ended` says how the program has ended, if it has."""

    def __init__(self, most: int, ended: Callable[[], str | None]) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(LISTENING)
        self.address = "{}:{}".format(*self._listener.getsockname())
        self._most, self._ended = most + SLACK, ended
        self._poll = select.poll()
        self._poll.register(self._listener, select.POLLIN)
        self._connections: dict[int, Connection] = {}
        self._asking: Connection | None = None  # for an event
        self._given = ""  # the invocation that is its next, or that it has
        self._has_event = False
        self._results: list[Any] = []  # of that: what came of it, or an exception
        self.init_error: Exception | None = None

    def __repr__(self) -> str:
        state = f"at {self._given}" if self._given else "asked" if self.is_asked else "idle"
        return f"<RuntimeApi {state}, {len(self._connections)} connections>"

    @property
    def is_asked(self) -> bool:
        return self._asking is not None

    def watch(self, descriptor: int) -> None:
        """Wake up also for this one."""
        self._poll.register(descriptor, select.POLLIN)

    def forget(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        for connection in list(self._connections.values()):
            self._close(connection)
        self.init_error = None

    def ask(self, event: Any, context: Any) -> Any:
        """What the program makes of an event.

        Raises:
            Exception: it says that it failed, by a class of that name; or it has ended.
        """
        body, self._given = json.dumps(event).encode(), context.aws_request_id
        self._results.clear()
        deadline = int(time.time() * 1000) + context.get_remaining_time_in_millis()
        headers = (
            f"Lambda-Runtime-Aws-Request-Id: {self._given}",
            f"Lambda-Runtime-Deadline-Ms: {deadline}",
            f"Lambda-Runtime-Invoked-Function-Arn: {context.invoked_function_arn}",
        )
        self._has_event = False
        while not self._results:
            if not self._has_event and self._asking is not None:
                asking, self._asking, self._has_event = self._asking, None, True
                try:
                    asking.answer("200 OK", headers, body)
                except OSError:
                    self._has_event = False
                    self._close(asking)
                continue
            self.turn(-1)
            if not self._results and (why := self._ended()) is not None:
                self._given, self._has_event = "", False
                raise failure("Runtime.ExitError", f"bootstrap {why} before it had answered")
        self._given, self._has_event, result = "", False, self._results.pop()
        if isinstance(result, Exception):
            raise result
        return result

    def turn(self, wait_ms: float) -> None:
        """Hear what it says; wait so long for something, or without end."""
        for descriptor, _ in self._poll.poll(None if wait_ms < 0 else wait_ms):
            if descriptor == self._listener.fileno():
                sock, peer = self._listener.accept()
                if owner(peer, CONNECTIONS) != os.getuid():  # with the network of the machine anybody may call
                    sock.close()
                    continue
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections[sock.fileno()] = Connection(sock, self._most)
                self._poll.register(sock, select.POLLIN)
            elif (connection := self._connections.get(descriptor)) is not None:
                self._hear(connection)

    def _hear(self, connection: Connection) -> None:
        try:
            if (requests := connection.hear()) is None:
                self._close(connection)
            for request in requests or ():
                self._serve(connection, request)
        except Bad as error:
            connection.answer("400 Bad Request", (), _error("InvalidRequest", str(error)))
            self._close(connection)
        except OSError:
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        if self._connections.pop(connection.sock.fileno(), None) is not None:
            self._poll.unregister(connection.sock)
            connection.sock.close()
        if self._asking is connection:
            self._asking = None

    def _serve(self, connection: Connection, request: Telling) -> None:
        path, method = request.path.partition("?")[0], request.method
        if method == "GET" and path == f"{ROOT}invocation/next":
            self._asking = connection
            if self._has_event and not self._results:
                self._results.append(failure("Runtime.NoAnswer", UNANSWERED))
            return
        parts = path.removeprefix(f"{ROOT}invocation/").split("/")
        if method == "POST" and path == f"{ROOT}init/error":
            self.init_error = failed(request)
        elif method != "POST" or len(parts) != 2 or parts[1] not in ("response", "error"):
            connection.answer("404 Not Found", (), _error("NotFound", f"there is no {method} {path[:200]}"))
            return
        elif not self._given or parts[0] != self._given or self._results:
            connection.answer("400 Bad Request", (), _error("InvalidRequestID", "it has no such invocation"))
            return
        else:
            self._results.append(failed(request) if parts[1] == "error" else outcome(request))
        connection.answer("202 Accepted", (), b'{"status":"OK"}\n')


def owner(address: tuple[str, int], table: str) -> int | None:
    """Whose end of a TCP connection that is, by a table as /proc/net/tcp is; None: nobody's."""
    wanted = f"{socket.inet_aton(address[0])[::-1].hex()}:{address[1]:04X}".upper()
    with open(table) as lines:
        for line in lines:
            words = line.split()
            if words[1] == wanted and words[3] == ESTABLISHED:
                return int(words[7])
    return None


def failure(kind: str, message: str, trace: tuple[str, ...] = ()) -> Exception:
    """An exception of a class that is called so."""
    made = type(kind.replace("\0", "")[:NAME_MOST] or "Error", (Exception,), {"__module__": "builtins"})
    error: Exception = made(message[:TEXT_MOST])
    if trace:
        error.add_note("\n".join(trace)[:TEXT_MOST])
    return error


def failed(request: Telling) -> Exception:
    try:
        told = json.loads(request.body)
    except (ValueError, RecursionError):
        told = None
    fields = told if isinstance(told, dict) else {}
    kind = fields.get("errorType") or request.fields.get("lambda-runtime-function-error-type") or "Error"
    message = fields.get("errorMessage", "" if fields else request.body.decode("utf-8", "replace"))
    trace = fields.get("stackTrace")
    return failure(str(kind), str(message), tuple(map(str, trace)) if isinstance(trace, list) else ())


def outcome(request: Telling) -> Any:
    """What a handler would have returned; what is no JSON is a text, or bytes."""
    if kind := request.trailers.get("lambda-runtime-function-error-type"):
        request.body = base64.b64decode(request.trailers.get("lambda-runtime-function-error-body", ""))
        request.fields["lambda-runtime-function-error-type"] = kind
        return failed(request)
    body = request.body
    if request.fields.get("content-type", "").startswith(WHOLE) and GAP in body:
        return _gateway_answer(*body.split(GAP, 1))
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        pass
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body


def _gateway_answer(head: bytes, body: bytes) -> Any:
    try:
        told = json.loads(head)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        return failure("InvalidPrelude", "what stands before its answer's body is no JSON object")
    return {"statusCode": 200, **told, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def _head(raw: bytes) -> Telling:
    first, *lines = raw.split(b"\r\n")
    words = first.decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise Bad("this is no HTTP/1.1")
    return Telling(words[0], words[1], _fields(lines))


def _fields(lines: list[bytes]) -> dict[str, str]:
    found = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or name != name.strip():
            raise Bad("a header without its name")
        found[name.lower()] = value.strip()
    return found
