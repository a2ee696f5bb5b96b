"""Requests to dockerd, over its Unix socket: HTTP/1.1, a connection for each."""

import asyncio
import contextlib
import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httptools
import msgspec

from attacca.worker.runtime.reply import PIECE, Reply, TooLong, replied

API = (1, 41)  # which all that is asked here is written for: Docker 20.10
ANSWER_MOST = 16 << 20  # bytes
CLOSE = "Connection: close\r\n"
UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
FRAME = struct.Struct(">B3xI")  # of a stream that two are woven into: which of them, and its length


class Unanswered(OSError):
    """It refused, or did not answer. `status` is 0 where it did not."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Complaint(msgspec.Struct, frozen=True):
    message: str = ""


class Spoken(msgspec.Struct, frozen=True):
    newest: str = msgspec.field(name="ApiVersion", default="0.0")
    oldest: str = msgspec.field(name="MinAPIVersion", default="0.0")


class DockerApi:
    """To the daemon that listens at `path`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._version = f"/v{API[0]}.{API[1]}"

    def __repr__(self) -> str:
        return f"<DockerApi at {self._path}>"

    async def agree(self, *, timeout_s: float) -> None:
        """On a version: ours, or the oldest that a daemon knows which has given that up.

        Raises:
            Unanswered: it is too old, or does not answer.
        """
        self._version = ""
        told = await self.ask("GET", "/version", timeout_s=timeout_s)
        self._version = f"/v{agreed(msgspec.json.decode(told, type=Spoken))}"

    async def ask(self, method: str, path: str, told: object = None, *, timeout_s: float, **query: str) -> bytes:
        """
        Raises:
            Unanswered: it refuses, or does not answer.
        """
        body = b"" if told is None else msgspec.json.encode(told)
        async with self._connected(timeout_s) as (reader, writer):
            writer.write(_head(method, self._version + path, query, len(body)) + body)
            return self._read(await replied(reader, ANSWER_MOST))

    async def send(self, path: str, file: Path, *, timeout_s: float, **query: str) -> bytes:
        """A file, as the body of a POST.

        Raises:
            Unanswered: it refuses, or does not answer.
            OSError: the file cannot be read.
        """
        opened = await asyncio.to_thread(file.open, "rb")
        with opened:
            size = os.fstat(opened.fileno()).st_size
            async with self._connected(timeout_s) as (reader, writer):
                writer.write(_head("POST", self._version + path, query, size, "application/x-tar"))
                while data := await asyncio.to_thread(opened.read, PIECE << 4):
                    writer.write(data)
                    await writer.drain()
                return self._read(await replied(reader, ANSWER_MOST))

    async def attach(self, path: str, *, timeout_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """What a container prints, from here on: frames.

        Raises:
            Unanswered: it refuses, or does not answer.
        """
        query = {"stream": "1", "stdout": "1", "stderr": "1"}
        writer = None
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_unix_connection(self._path)
                writer.write(
                    _head("POST", self._version + path, query, 0, upgrade="Connection: Upgrade\r\nUpgrade: tcp\r\n")
                )
                head = await reader.readuntil(b"\r\n\r\n")
        except BaseException as error:
            if writer is not None:
                writer.close()
            if isinstance(error, OSError | EOFError | TimeoutError | asyncio.LimitOverrunError):
                raise Unanswered(self._deaf()) from None
            raise
        if b" 101 " not in head.partition(b"\r\n")[0]:
            writer.close()
            raise Unanswered(f"docker lets nobody hear what it prints: {head[:60]!r}")
        return reader, writer

    def _deaf(self) -> str:
        return f"docker does not answer at {self._path}; try again when it does"

    @contextlib.asynccontextmanager
    async def _connected(self, timeout_s: float) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        writer = None
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_unix_connection(self._path)
                yield reader, writer
        except Unanswered:
            raise
        except TooLong as error:
            raise Unanswered(f"docker says more than anybody reads: {error}") from None
        except (OSError, EOFError, TimeoutError, httptools.HttpParserError):
            raise Unanswered(self._deaf()) from None
        finally:
            if writer is not None:
                writer.close()

    def _read(self, reply: Reply) -> bytes:
        if not reply.is_whole and reply.status < 200:
            raise Unanswered(self._deaf())
        if reply.status >= 400:
            try:
                said = msgspec.json.decode(bytes(reply.body), type=Complaint).message
            except msgspec.MsgspecError:
                said = ""
            raise Unanswered(f"docker: {said or reply.status}", reply.status)
        return bytes(reply.body)


def agreed(spoken: Spoken) -> str:
    """
    Raises:
        Unanswered: it knows none that will do.
    """
    newest, oldest = (_numbers(one) for one in (spoken.newest, spoken.oldest))
    if newest < API:
        needed = ".".join(map(str, API))
        raise Unanswered(f"docker speaks version {spoken.newest} of its API, and {needed} is needed (Docker 20.10)")
    return ".".join(map(str, max(API, oldest)))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in version.split(".") if one.isdecimal())


def _head(
    method: str, path: str, query: dict[str, Any], size: int, kind: str = "application/json", upgrade: str = ""
) -> bytes:
    target = path + (f"?{urlencode(query)}" if query else "")
    lines = f"{method} {target} HTTP/1.1\r\nHost: docker\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n"
    return f"{lines}{upgrade or CLOSE}\r\n".encode()


async def pour(reader: asyncio.StreamReader, descriptor: int) -> None:
    """All that is in the frames, into a pipe, as quickly as that takes it; then let go of the pipe.

    Raises:
        OSError, EOFError: one end is gone.
    """
    os.set_blocking(descriptor, False)
    try:
        while True:
            _, size = FRAME.unpack(await reader.readexactly(FRAME.size))
            while size:
                data = await reader.read(min(size, PIECE))
                if not data:
                    return
                size -= len(data)
                await _write(descriptor, data)
    finally:
        os.close(descriptor)


async def _write(descriptor: int, data: bytes) -> None:
    loop = asyncio.get_running_loop()
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            ready = asyncio.Event()
            loop.add_writer(descriptor, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_writer(descriptor)
