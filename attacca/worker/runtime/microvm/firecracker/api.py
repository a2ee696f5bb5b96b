"""The worker's end of a Firecracker's API: one request after the other, over its Unix socket."""

import asyncio
import contextlib
import socket
from typing import Final

import httptools
import msgspec

from attacca.errors import StartFailed
from attacca.worker.runtime.microvm.firecracker.requests import ApiRefusal, ApiRequest
from attacca.worker.runtime.reply import replied

ANSWER_MOST: Final = 65_536  # bytes
BETWEEN_S: Final = (0.001, 0.002, 0.004, 0.008, 0.016)  # looks for its socket, while it begins; the last goes on
HINT: Final = "its words are in the server's log; `attacca doctor` says which Firecracker this is"


class FirecrackerApi:
    """At `path`, which is short enough for a socket's address."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<FirecrackerApi {'at' if self._streams else 'not yet at'} {self._path}>"

    async def tell(self, request: ApiRequest, timeout_s: float) -> None:
        """
        Raises:
            StartFailed: it refuses, does not answer in time, or says what no Firecracker says.
        """
        try:
            async with self._turn, asyncio.timeout(timeout_s):
                status, body = await self._asked(request)
        except TimeoutError:
            raise _failed(request, f"no answer within {timeout_s:g} s") from None
        except (OSError, EOFError, httptools.HttpParserError) as error:
            raise _failed(request, f"no answer ({type(error).__name__})") from None
        if status >= 300:
            raise _failed(request, refusal(status, body))

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _asked(self, request: ApiRequest) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(sock=await connected(self._path))
        reader, writer = self._streams
        writer.write(written(request))
        reply = await replied(reader, ANSWER_MOST)
        if not reply.is_whole:
            raise EOFError
        return reply.status, bytes(reply.body)


async def connected(path: str) -> socket.socket:
    """As soon as somebody listens there; the caller knows how long that may take."""
    looks = 0
    while True:
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)  # noqa: FBT003 - socket's
        try:
            sock.connect(path)
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            return sock
        await asyncio.sleep(BETWEEN_S[min(looks, len(BETWEEN_S) - 1)])
        looks += 1


def written(request: ApiRequest) -> bytes:
    """As it is sent."""
    body = msgspec.json.encode(request.body)
    head = f"{request.method} {request.path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def refusal(status: int, body: bytes) -> str:
    """What an answer that is a refusal says."""
    said = ""
    with contextlib.suppress(msgspec.MsgspecError):
        said = msgspec.json.decode(body, type=ApiRefusal).fault_message[:500]
    return said or f"status {status}"


def _failed(request: ApiRequest, why: str) -> StartFailed:
    return StartFailed(f"its monitor did not do {request.method} {request.path}: {why}", HINT)
