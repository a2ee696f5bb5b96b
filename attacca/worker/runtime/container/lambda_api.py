"""Lambda's Runtime API for the program of one container: served from within its network, by the worker itself."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from attacca.guest.runtime_api import ROOT, UNANSWERED, Bad, Reader, Telling, failed, failure, outcome
from attacca.kernel.clock import Clock
from attacca.model.function import Revision
from attacca.worker.host.network import Namespace
from attacca.worker.runtime.container.translation import function_of

LISTENING = 16
SLACK = 1 << 20  # of a body over the largest answer
CONNECTIONS_MOST = 64
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REGION = "us-east-1"
HERE = "127.0.0.1"


def environment(revision: Revision, handler: str) -> dict[str, str]:
    """Beside the address what Lambda's own runtimes look for."""
    function, number = revision.function, str(revision.number)
    return {
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_VERSION": number,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(revision.settings.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/attacca/{function}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{function}@{number}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "_HANDLER": handler,
    }


class Line(asyncio.Protocol):
    """A connection from the program."""

    def __init__(self, api: "LambdaApi", most: int) -> None:
        self._api, self._reader = api, Reader(most)
        self._transport: asyncio.Transport | None = None

    def __repr__(self) -> str:
        return f"<Line {'closed' if self._transport is None else 'open'}, {self._reader}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's inherit from nothing
        self._api.lines[self] = None
        if len(self._api.lines) > CONNECTIONS_MOST:
            self.close()

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._api.gone(self)

    def data_received(self, data: bytes) -> None:
        try:
            for request in self._reader.feed(data):
                self._api.serve(self, request)
        except Bad as error:
            self.answer("400 Bad Request", (), _error("InvalidRequest", str(error)))
            self.close()
        else:
            if self._reader.wants_more and self._transport is not None:
                self._reader.wants_more = False
                self._transport.write(CONTINUE)

    def answer(self, status: str, headers: tuple[str, ...] = (), body: bytes = b"") -> None:
        """In one piece."""
        lines = (f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers)
        if self._transport is not None:
            self._transport.write("\r\n".join((*lines, "", "")).encode("latin-1", "replace") + body)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class LambdaApi:
    """Hands out one event at a time. `ended` is told what came of one: a result, or an exception."""

    def __init__(self, revision: Revision, most: int, clock: Clock, ended: Callable[[str, Any], None]) -> None:
        self._revision, self._most, self._clock, self._ended = revision, most, clock, ended
        self.lines: dict[Line, None] = {}
        self.asked = asyncio.Event()  # for the first time, or it has said that it cannot start
        self.init_error: Exception | None = None
        self.address = ""
        self._asking: Line | None = None
        self._waiting: tuple[str, bytes, int] | None = None  # an event that nobody has asked for yet
        self._given = ""  # the invocation that it has
        self._server: asyncio.Server | None = None

    def __repr__(self) -> str:
        state = f"at {self._given}" if self._given else "asked" if self._asking else "idle"
        return f"<LambdaApi {state}, {len(self.lines)} connections>"

    async def open(self, network: Namespace) -> None:
        """
        Raises:
            OSError: nothing can listen there.
        """
        sock = network.socket()
        try:
            sock.bind((HERE, 0))
            sock.listen(LISTENING)
            self.address = "{}:{}".format(*sock.getsockname())
            sock.settimeout(0)
            loop = asyncio.get_running_loop()
            make = loop.create_server(lambda: Line(self, self._most + SLACK), sock=sock, start_serving=False)
            self._server = await make
        except BaseException:
            sock.close()
            raise
        await self._server.start_serving()  # who gives up meanwhile closes it: the loop knows the socket already

    def close(self) -> None:
        """Nobody is told of what ran."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for line in list(self.lines):
            line.close()
        self._given, self._waiting = "", None

    def ask(self, invocation: str, event: bytes) -> None:
        """`ended` is told, unless it is closed before."""
        deadline = int((self._clock.wall() + self._revision.settings.timeout_s) * 1000)
        self._waiting = invocation, event, deadline
        self._hand_out()

    def _hand_out(self) -> None:
        if self._waiting is None or self._asking is None:
            return
        (self._given, event, deadline), self._waiting = self._waiting, None
        line, self._asking = self._asking, None
        arn = function_of(self._revision).arn
        line.answer(
            "200 OK",
            (
                f"Lambda-Runtime-Aws-Request-Id: {self._given}",
                f"Lambda-Runtime-Deadline-Ms: {deadline}",
                f"Lambda-Runtime-Invoked-Function-Arn: {arn}",
            ),
            event,
        )

    def gone(self, line: Line) -> None:
        self.lines.pop(line, None)
        if self._asking is line:
            self._asking = None

    def serve(self, line: Line, request: Telling) -> None:
        path, method = request.path.partition("?")[0], request.method
        parts = path.removeprefix(f"{ROOT}invocation/").split("/")
        if method == "GET" and path == f"{ROOT}invocation/next":
            self._asking = line
            self.asked.set()
            if self._given:
                self._end(failure("Runtime.NoAnswer", UNANSWERED))
            self._hand_out()
        elif method == "POST" and path == f"{ROOT}init/error":
            line.answer("202 Accepted", (), b'{"status":"OK"}\n')
            self.init_error = failed(request)
            self.asked.set()
        elif method != "POST" or len(parts) != 2 or parts[1] not in ("response", "error"):
            line.answer("404 Not Found", (), _error("NotFound", f"there is no {method} {path[:200]}"))
        elif not self._given or parts[0] != self._given:
            line.answer("400 Bad Request", (), _error("InvalidRequestID", "it has no such invocation"))
        else:
            line.answer("202 Accepted", (), b'{"status":"OK"}\n')
            self._end(failed(request) if parts[1] == "error" else outcome(request))

    def _end(self, result: Any) -> None:
        given, self._given = self._given, ""
        self._ended(given, result)


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
