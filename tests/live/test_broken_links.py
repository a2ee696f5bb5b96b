"""The connections between the planes of a server break in the middle: what was acknowledged stands, what was under way
is sent again or ends with its reason, and the planes find one another again."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from attacca.cli.serve.configuration import load
from attacca.cli.serve.server import Server
from tests.live.whole import Answer, deployment, parse

PATIENCE_S = 30.0
SLEEPS = "import time\ndef {0}(s=0):\n    print('began', flush=True)\n    time.sleep(s)\n    return s"


class Here:
    """A server in this process, whose links can be broken by hand."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.port = int(server.url.rpartition(":")[2])

    async def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        fields = {"host": "localhost", "connection": "close", "content-length": str(len(body)), **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        raw = await reader.read()
        writer.close()
        return parse(raw)

    async def call(self, name: str, **payload: object) -> Answer:
        return await self.ask(
            "POST", f"/function/{name}", json.dumps(payload).encode(), {"content-type": "application/json"}
        )

    async def deploy(self, name: str, source: str, **settings: object) -> dict[str, Any]:
        answer = await self.ask("POST", "/api/functions", *deployment(name, source, **settings))
        last: dict[str, Any] = json.loads(answer.body.splitlines()[-1])
        return last

    async def running(self) -> int:
        [worker] = (await self.ask("GET", "/api/workers")).value or [{"running": -1}]
        return int(worker["running"])

    async def until(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not await is_so():  # noqa: ASYNC110 - it is asked from outside
                await asyncio.sleep(0.01)

    async def runs(self, count: int) -> None:
        async def is_so() -> bool:
            return await self.running() == count

        await self.until(is_so)

    async def works_again(self, name: str) -> None:
        async def is_so() -> bool:
            return (await self.call(name)).status == 200

        await self.until(is_so)


@asynccontextmanager
async def here(state: Path) -> AsyncIterator[Here]:
    settings = ["wire.join=tcp", "worker.memory_mb=2048", "process.memory_limits=watch", "gateway.port=0"]
    server = Server(load({}, assignments=[*settings, f"control.state_dir={state}"]).value)
    await server.open()
    try:
        yield Here(server)
    finally:
        await server.close()


def test_what_was_under_way_is_sent_again_or_ends_with_its_reason(tmp_path: Path) -> None:
    async def main() -> None:
        async with here(tmp_path) as up:
            await up.deploy("again", SLEEPS.format("again"), idempotent=True)
            await up.deploy("once", SLEEPS.format("once"))
            again = [asyncio.create_task(up.call("again", s=0.5)) for _ in range(4)]
            once = [asyncio.create_task(up.call("once", s=0.5)) for _ in range(4)]
            await up.runs(8)
            up.server.joints.cut()
            answers = [await task for task in again]
            assert [answer.value for answer in answers] == [0.5] * 4
            errors = [(await task).error for task in once]
            assert {error["code"] for error in errors} == {"sandbox_lost"}
            assert all("worker" in error["message"] for error in errors)
            await up.works_again("once")
            await up.runs(0)
            calls = (await up.ask("GET", "/api/calls?function=again")).value
            assert all("sent again" in call["why"] for call in calls if call["outcome"] == "ok")

    uvloop.run(main())


def test_what_was_acknowledged_stands(tmp_path: Path) -> None:
    """Each deployment, rollback and deletion is answered, then everything breaks, and it is so."""

    async def main() -> None:
        async with here(tmp_path) as up:
            for number in (1, 2, 3):
                done = await up.deploy("turn", f"def turn():\n    return {number}")
                up.server.joints.cut()
                assert done["done"]["revision"] == number
                await up.works_again("turn")
                assert (await up.call("turn")).value == number
            await up.ask("DELETE", "/api/functions/turn")
            up.server.joints.cut()
            assert (await up.call("turn")).code == "not_found"

    uvloop.run(main())


def test_it_breaks_again_and_again_under_load(tmp_path: Path) -> None:
    """Nobody waits for ever, nobody gets another's answer, and nothing is left running."""

    async def main() -> None:
        async with here(tmp_path) as up:
            await up.deploy("own", "import time\ndef own(n=0):\n    time.sleep(0.01)\n    return n", idempotent=True)
            wrong: list[Answer] = []

            async def client(first: int) -> int:
                answered = 0
                for n in range(first, first + 40):
                    answer = await up.call("own", n=n)
                    if answer.status == 200 and answer.value == n:
                        answered += 1
                    elif answer.status not in (502, 503):
                        wrong.append(answer)
                return answered

            clients = [asyncio.create_task(client(100 * number)) for number in range(8)]
            while not all(task.done() for task in clients):
                await asyncio.sleep(0.1)
                up.server.joints.cut()
            assert wrong == []
            assert sum([await task for task in clients]) > 0
            await up.works_again("own")
            await up.runs(0)
            assert up.server.gateway.busy() == 0
            assert up.server.worker.busy() == 0

    uvloop.run(main())


def test_a_deployment_whose_check_is_lost_says_so_and_can_be_made_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with here(tmp_path) as up:
            source = "import time\ntime.sleep(1)\ndef late():\n    return 1"
            deploying = asyncio.create_task(up.deploy("late", source))

            async def is_checking() -> bool:
                return up.server.worker.core.checks.making != {}

            await up.until(is_checking)
            up.server.joints.cut()
            assert "error" in await deploying
            assert (await up.call("late")).code == "not_found"

            async def is_deployed() -> bool:
                return "done" in await up.deploy("late", source)

            await up.until(is_deployed)
            assert (await up.call("late")).value == 1

    uvloop.run(main())
