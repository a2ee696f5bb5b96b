"""The generator's connections and its clock against servers that misbehave."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvloop

from attacca.load.sending.alarm import Alarm
from attacca.load.sending.connection import LOST, NO_ANSWER, UNREACHABLE, Pool, now

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


class Answers:
    """What became of each request."""

    def __init__(self) -> None:
        self.rows: list[tuple[object, int, bytes, str, int]] = []
        self._news = asyncio.Event()

    def __call__(
        self, token: object, sent: float, received: float, status: int, head: bytes, error: str, size: int
    ) -> None:
        assert received >= sent
        self.rows.append((token, status, head, error, size))
        self._news.set()

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.rows) < count:
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def pool(serve: Serve, links: int = 1) -> AsyncIterator[tuple[Pool, Answers, asyncio.Server]]:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    answers = Answers()
    found = Pool("127.0.0.1", server.sockets[0].getsockname()[1], answers)
    await found.open(links)
    try:
        yield found, answers, server
    finally:
        found.give_up()
        server.close()
        await asyncio.sleep(0.05)  # for both ends of each connection to be closed


async def request(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("pieces", "status", "size"),
    [
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"], 200, 5),
        ([b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 5\r\n\r\nhe", b"llo"], 200, 5),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, 0),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe", b"llo\r\n0\r\n\r\n"], 200, 15),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n", b"x" * 1999, b"x"], 200, 2000),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n", b"a: b\r\n\r\n"], 200, 18),
        ([b"HTTP/1.1 500 Oops\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"], 500, 2),
    ],
)
def test_answers_are_read_however_they_come(pieces: list[bytes], status: int, size: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.002)

    async def main() -> None:
        async with pool(serve) as (found, answers, _):
            for number in range(3):
                found.send(REQUEST, number)
                await answers.wait(number + 1)
            assert [(row[0], row[1], row[3], row[4]) for row in answers.rows] == [
                (number, status, "", size) for number in range(3)
            ]

    asyncio.run(main())


def test_more_at_once_than_there_are_connections_get_through() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            await asyncio.sleep(0.02)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async def main() -> None:
        async with pool(serve) as (found, answers, _):
            for number in range(60):
                found.send(REQUEST, number)
            await answers.wait(60)
            assert sorted(row[0] for row in answers.rows) == list(range(60))  # type: ignore[type-var]
            assert {row[1] for row in answers.rows} == {200}

    uvloop.run(main())


def test_a_connection_that_breaks_is_an_answer_too() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.close()

    async def main() -> None:
        async with pool(serve) as (found, answers, server):
            found.send(REQUEST, "lost")
            await answers.wait(1)
            assert answers.rows[0][1:4] == (0, b"", LOST)
            server.close()
            await server.wait_closed()
            while len(answers.rows) < 2 or answers.rows[-1][3] != UNREACHABLE:
                found.send(REQUEST, "nobody")
                await answers.wait(len(answers.rows) + 1)

    asyncio.run(main())


def test_what_is_no_answer_loses_the_connection_and_the_next_has_another() -> None:
    said = [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(said.pop(0))
        await reader.read()

    async def main() -> None:
        async with pool(serve) as (found, answers, _):
            for number in range(2):
                found.send(REQUEST, number)
                await answers.wait(number + 1)
            assert [(row[1], row[3]) for row in answers.rows] == [(0, LOST), (200, "")]

    asyncio.run(main())


def test_who_gives_up_gets_no_answer_for_what_is_under_way() -> None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def main() -> None:
        async with pool(serve) as (found, answers, _):
            found.send(REQUEST, "waits")
            await asyncio.sleep(0.05)
            found.give_up()
            await answers.wait(1)
            assert answers.rows[0][1:4] == (0, b"", NO_ANSWER)

    asyncio.run(main())


def test_the_alarm_is_never_early_and_nearer_the_moment_than_the_loops_own_timers() -> None:
    async def off_by(sleep: Callable[[float], Awaitable[None]]) -> float:
        began = now()
        await sleep(0.0007)
        return now() - began - 0.0007

    async def main() -> None:
        alarm = Alarm()
        pairs = [(await off_by(alarm.sleep), await off_by(asyncio.sleep)) for _ in range(50)]
        alarm.close()
        ours, theirs = zip(*pairs, strict=True)
        assert min(ours) >= -1e-5
        assert sorted(ours)[5] < sorted(map(abs, theirs))[5], "when the machine lets them"

    uvloop.run(main())
