"""Ilúvatar's agent over its Unix socket: found where only it can be, and asked one thing after the other."""

import asyncio
import json
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from attacca.model.invocation import Failed, Ok, Outcome
from attacca.worker.runtime.container.agent_socket import SOCKET, AgentSocket, found
from attacca.worker.runtime.container.errands import CANCELLED

WAIT_S = 20.0


class Agent:
    """Answers what it was told, but for what it is to do otherwise; `asked` are the events that it has had."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.go_on = asyncio.Event()
        self.connections: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        try:
            while True:
                command, size = struct.unpack("=QQ", await reader.readexactly(16))
                event = json.loads(await reader.readexactly(size) or b"null")
                if command == 1:
                    self.asked.append(event)
                if event == "drop":
                    return
                if event == "wait":
                    await self.go_on.wait()
                answer = b"x" * 1000 if event == "large" else json.dumps(event).encode()
                writer.write(struct.pack("=Q", len(answer)) + answer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


class Asked:
    def __init__(self, root: int) -> None:
        self.ends: asyncio.Queue[tuple[str, Outcome]] = asyncio.Queue()
        self.doubts = 0
        self.socket = AgentSocket(root, 500, self._doubt, lambda name, outcome: self.ends.put_nowait((name, outcome)))

    def _doubt(self) -> None:
        self.doubts += 1
        asyncio.get_running_loop().call_soon(self.socket.alive)

    async def end(self) -> tuple[str, Outcome]:
        return await asyncio.wait_for(self.ends.get(), WAIT_S)


@asynccontextmanager
async def served(directory: Path) -> AsyncIterator[tuple[Agent, Asked]]:
    place = directory / SOCKET.strip("/")
    place.parent.mkdir(parents=True)
    agent, root = Agent(), os.open(directory, os.O_PATH | os.O_DIRECTORY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        server = await asyncio.start_unix_server(agent.serve, sock=listener)
        asked = Asked(root)
        try:
            yield agent, asked
        finally:
            asked.socket.close()
            os.close(root)
            agent.go_on.set()
            server.close()
            for one in agent.connections:
                one.close()


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a")  # short: a socket's path has little room


def test_one_is_asked_after_the_other_over_one_connection(directory: Path) -> None:
    async def main() -> None:
        async with served(directory) as (agent, asked):
            assert repr(asked.socket) == "<AgentSocket not connected, 0 wait>"
            assert await asked.socket.status() == b"null"
            assert repr(asked.socket) == "<AgentSocket connected, 0 wait>"
            for number in range(3):
                asked.socket.run(f"i{number}", b"%d" % number)
            assert [await asked.end() for _ in range(3)] == [(f"i{number}", Ok(b"%d" % number)) for number in range(3)]
            assert (agent.asked, len(agent.connections)) == ([0, 1, 2], 1)

    asyncio.run(main())


def test_one_that_is_stopped_is_not_listened_to_and_the_next_has_another_connection(directory: Path) -> None:
    async def main() -> None:
        async with served(directory) as (agent, asked):
            for name, event in (("i1", b'"wait"'), ("i2", b"2"), ("i3", b"3")):
                asked.socket.run(name, event)
            await asyncio.wait_for(asked.socket.status(), WAIT_S) if agent.asked else None
            asked.socket.stop("i2")
            asked.socket.stop("i1")
            asked.socket.stop("never")
            assert [await asked.end() for _ in range(3)] == [("i2", CANCELLED), ("i1", CANCELLED), ("i3", Ok(b"3"))]

    asyncio.run(main())


def test_one_that_hangs_up_or_answers_too_much_has_failed_and_the_next_is_asked(directory: Path) -> None:
    async def main() -> None:
        async with served(directory) as (_, asked):
            for name, event in (("i1", b'"drop"'), ("i2", b'"large"'), ("i3", b"3")):
                asked.socket.run(name, event)
            (_, dropped), (_, large), third = [await asked.end() for _ in range(3)]
            assert isinstance(dropped, Failed)
            assert isinstance(large, Failed)
            assert (dropped.code, large.code) == ("bad_response", "response_too_large")
            assert (third, asked.doubts) == (("i3", Ok(b"3")), 1)

    asyncio.run(main())


def test_nothing_but_a_socket_of_its_own_is_taken_for_one(directory: Path) -> None:
    """What a container lays there may lead to a socket of the machine's."""
    place = directory / SOCKET.strip("/")
    root = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "outside"))
        with pytest.raises(FileNotFoundError):
            found(root)
        place.parent.mkdir(parents=True)
        place.symlink_to(directory / "outside")
        with pytest.raises(OSError, match="is no socket"):
            found(root)
        place.unlink()
        place.write_text("a file")
        with pytest.raises(OSError, match="is no socket"):
            found(root)
        place.unlink()
        place.parent.rmdir()
        place.parent.symlink_to(directory)
        with pytest.raises(NotADirectoryError):
            found(root)
    os.close(root)
