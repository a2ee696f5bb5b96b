"""Requests to an API server over HTTP/1.1: answers in one piece over connections that are kept, and lines as they come.

Whatever is answered is bounded: an answer, a line of a watch, a head.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol
from urllib.parse import urlencode

import httptools
import msgspec

from attacca.worker.runtime.kubernetes.access import Access
from attacca.worker.runtime.reply import PIECE, Reply

CALL_S = 15.0  # for one answer
CONNECT_S = 5.0
ANSWER_MOST = 64 << 20  # bytes: a list of thousands of pods
LINE_MOST = 4 << 20  # an object has 1.5 MB at most
HEAD_MOST = 65_536
KEPT = 4  # connections
AT_ONCE = 16  # requests
TOKEN_S = 60.0  # after which a file is read anew
SAID_MOST = 300  # characters of a complaint
JSON = "application/json"
PATCH = "application/merge-patch+json"
MENDABLE = (0, 429, 500, 502, 503, 504)  # statuses after which trying again may help
UNAUTHORIZED = 401
UNSURE, SURE = (UNAUTHORIZED, 403), 6  # and those that mean it when they are answered so often in a row
FIRST_S, MOST_S = 0.05, 5.0  # the pauses between


class Declined(OSError):
    """It refused, or did not answer: then `status` is 0."""

    def __init__(self, message: str, status: int = 0, reason: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.message, self.status, self.reason, self.retry_after_s = message, status, reason, retry_after_s

    def may_mend(self, tries: int) -> bool:
        """Is it worth another try, after so many? A server that has just begun knows nobody's rights for a moment."""
        return self.status in MENDABLE or (self.status in UNSURE and tries < SURE)


class ApiStatus(msgspec.Struct, frozen=True):
    """What a Status says (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/)."""

    message: str = ""
    reason: str = ""
    code: int = 0


class Server(Protocol):
    """What of an API server is used."""

    @property
    def address(self) -> str:
        """From which it is asked; empty until it was."""

    async def ask(self, method: str, path: str, told: object = None, *, kind: str = JSON, **query: str) -> bytes:
        """
        Raises:
            Declined: it refuses, or does not answer.
        """

    def stream(self, path: str, *, quiet_s: float, **query: str) -> AsyncIterator[bytes]:
        """Pieces of an answer as they come, until it ends.

        Raises:
            Declined: it refuses, breaks off, or says nothing for `quiet_s`.
        """

    async def close(self) -> None: ...


class Wire(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class ApiAnswer(Reply):
    """Of one request, as far as it has come."""

    def __init__(self) -> None:
        super().__init__()
        self.has_head = False
        self.retry_after_s = 0.0
        self._head_bytes = 0

    def __repr__(self) -> str:
        return f"<ApiAnswer {len(self.body)} bytes{'' if self.is_whole else ' so far'}>"

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_MOST:
            raise httptools.HttpParserError(f"its head has more than {HEAD_MOST >> 10} KB")
        if name.lower() == b"retry-after" and value.isdigit() and len(value) < 5:
            self.retry_after_s = float(value)

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, data: bytes) -> None:
        super().on_body(data)
        if len(self.body) > ANSWER_MOST:
            raise httptools.HttpParserError(f"it has more than {ANSWER_MOST >> 20} MB")


GONE = (OSError, EOFError, httptools.HttpParserError, httptools.HttpParserUpgrade)


class Api:
    """Implements `Server`, at the end of a network."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._idle: list[Wire] = []
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._token, self._read_at = access.token, 0.0
        self.address = ""
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Api {self._access.shown}, {len(self._idle)} connections idle>"

    async def ask(self, method: str, path: str, told: object = None, *, kind: str = JSON, **query: str) -> bytes:
        body = b"" if told is None else msgspec.json.encode(told)
        async with self._turns:
            while True:
                shown = await self._bearer()
                answer = await self._answer(self._head(method, path, query, len(body), kind, shown) + body)
                if answer.status != UNAUTHORIZED or not await self._is_renewed(shown):
                    break
        if answer.status >= 400 or answer.status < 200:
            raise complaint(answer)
        return bytes(answer.body)

    async def _answer(self, request: bytes) -> ApiAnswer:
        while True:
            line = self._idle.pop() if self._idle else None
            is_used = line is not None
            try:
                async with asyncio.timeout(CALL_S):
                    line = line or await self._connect()
                    answer = await self._exchange(line, request)
            except (*GONE, TimeoutError) as error:
                if line is not None:
                    line.writer.transport.abort()
                if is_used and not isinstance(error, TimeoutError):
                    continue  # it was closed while nobody used it
                raise self._deaf(error) from None
            except BaseException:
                if line is not None:
                    line.writer.transport.abort()
                raise
            self._keep(line, answer)
            return answer

    async def _exchange(self, line: Wire, request: bytes) -> ApiAnswer:
        line.writer.write(request)
        answer = ApiAnswer()
        while not answer.is_whole:
            data = await line.reader.read(PIECE)
            if not data:
                raise EOFError("it hung up")
            answer.parser.feed_data(data)
        return answer

    def _keep(self, line: Wire, answer: ApiAnswer) -> None:
        if len(self._idle) < KEPT and answer.parser.should_keep_alive() and not self._is_closed:
            self._idle.append(line)
        else:
            line.writer.transport.abort()

    async def stream(self, path: str, *, quiet_s: float, **query: str) -> AsyncIterator[bytes]:
        shown = await self._bearer()
        request = self._head("GET", path, query, 0, JSON, shown)
        line, answer = None, ApiAnswer()
        try:
            async with asyncio.timeout(CALL_S):
                line = await self._connect()
                line.writer.write(request)
            while not answer.is_whole:
                async with asyncio.timeout(quiet_s if answer.has_head else CALL_S):
                    data = await line.reader.read(PIECE)
                if not data:
                    raise EOFError("it hung up")
                answer.parser.feed_data(data)
                if answer.has_head and answer.status != 200:
                    continue
                if answer.body:
                    piece, answer.body = bytes(answer.body), bytearray()
                    yield piece
        except (*GONE, TimeoutError) as error:
            raise self._deaf(error) from None
        finally:
            if line is not None:
                line.writer.transport.abort()
        if answer.status == UNAUTHORIZED:
            await self._is_renewed(shown)
        if answer.status != 200:
            raise complaint(answer)

    async def close(self) -> None:
        self._is_closed = True
        idle, self._idle = self._idle, []
        for line in idle:
            line.writer.transport.abort()
        await asyncio.sleep(0)  # their sockets are closed in the next turn

    async def _connect(self) -> Wire:
        access = self._access
        name = None if access.context is None else access.server_name or access.host
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(
                access.host, access.port, ssl=access.context, server_hostname=name
            )
        self.address = str(writer.get_extra_info("sockname", ("",))[0])
        sock = writer.get_extra_info("socket")
        if sock is not None:  # a server that has vanished without a word is noticed, also by who only listens
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
        return Wire(reader, writer)

    def _head(self, method: str, path: str, query: dict[str, str], size: int, kind: str, token: str) -> bytes:
        access = self._access
        host = f"[{access.host}]" if ":" in access.host else access.host
        lines = [
            f"{method} {access.prefix}{path}{'?' + urlencode(query) if query else ''} HTTP/1.1",
            f"Host: {host}:{access.port}",
            "Accept: application/json",
            "User-Agent: attacca",
        ]
        if size or method != "GET":
            lines += [f"Content-Type: {kind}", f"Content-Length: {size}"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        return "\r\n".join((*lines, "", "")).encode("latin-1", "replace")

    async def _bearer(self) -> str:
        file, now = self._access.token_file, asyncio.get_running_loop().time()
        if file is not None and (not self._token or now - self._read_at > TOKEN_S):
            try:
                token = (await asyncio.to_thread(file.read_text)).strip()
            except (OSError, ValueError) as error:
                raise Declined(f"the token in {file} cannot be read: {error}") from None
            self._token, self._read_at = "".join(token.split()), now
        return self._token

    async def _is_renewed(self, shown: str) -> bool:
        """Whoever keeps the token has put another there than the one that was refused."""
        if self._access.token_file is None:
            return False
        if self._token == shown:
            self._token = ""
        return await self._bearer() != shown

    def _deaf(self, error: BaseException) -> Declined:
        why = "no answer in time" if isinstance(error, TimeoutError) else str(error)[:SAID_MOST] or type(error).__name__
        return Declined(f"the API server at {self._access.shown} does not answer: {why}")


def complaint(answer: ApiAnswer) -> Declined:
    try:
        told = msgspec.json.decode(bytes(answer.body), type=ApiStatus)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        told = ApiStatus()
    said = told.message[:SAID_MOST] or bytes(answer.body[:SAID_MOST]).decode("utf-8", "replace").strip()
    return Declined(
        f"the API server answers {answer.status}: {said or 'nothing more'}",
        answer.status, told.reason, answer.retry_after_s,
    )  # fmt: skip


def pause_s(tries: int, retry_after_s: float = 0.0) -> float:
    """Before it is tried again."""
    return max(min(FIRST_S * 2.0 ** min(tries, 16), MOST_S), min(retry_after_s, 60.0))


async def lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Without what ends them.

    Raises:
        Declined: one is longer than an object can be.
    """
    held = bytearray()
    async for piece in pieces:
        held += piece
        *whole, rest = held.split(b"\n") if b"\n" in piece else [held]
        for line in whole:
            if line:
                yield bytes(line)
        held = bytearray(rest)
        if len(held) > LINE_MOST:
            raise Declined(f"what is watched has a line of more than {LINE_MOST >> 20} MB")
