"""A gateway and a control plane in memory, spoken to in HTTP, with everything that they keep in one directory."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from attacca.control.config import ControlConfig
from attacca.control.driver import Control
from attacca.control.http.app import admin
from attacca.control.http.authorization import door
from attacca.gateway.config import GatewayConfig
from attacca.io.journal.memory import Book, MemoryJournal
from attacca.io.store.memory import MemoryStore
from attacca.kernel.clock import Clock
from attacca.kernel.rand import Streams
from attacca.model.function import Revision
from attacca.model.invocation import Failed, Invocation, Ok
from attacca.model.messages import Checked
from tests.control.peers import WorkerPeer
from tests.fuzz.reading import Answer, answers
from tests.fuzz.wire import Desk, Place, Wire

T = TypeVar("T")
PATIENCE_S = 10.0


class House:
    """Gateway and control plane, joined as in a server; and a worker that says which revision it was asked."""

    def __init__(self) -> None:
        self.room = Path(tempfile.mkdtemp(prefix="attacca-fuzz-"))
        self.place = Place(GatewayConfig(port=0, max_head_kb=16, dialects=("dirigent",)), (), which)
        self.store = MemoryStore(self.place.clock)
        self.control: Control
        self.run(self._open())
        _, self.secret = self.run(self.control.tokens.create("ours"))

    def run(self, story: Coroutine[Any, Any, T]) -> T:
        return self.place.loop.run_until_complete(story)

    async def _open(self) -> None:
        config = ControlConfig(state_dir=self.room / "state")
        clock, tell = self.place.clock, self.place.gateway.receive
        self.worker = WorkerPeer(self._check)
        self.control = Control(config, self.store, clock, self.worker.send, tell, chance=Streams(1).stream("placement"))
        await self.control.open()
        self.worker.join(self.control)
        self.place.server.admin = admin(self.control, Seen(clock), door(is_loopback=True))  # type: ignore[assignment]

    async def _check(self, revision: Revision) -> Checked:
        code = (self.room / "state" / "code" / revision.artefact.digests[0] / "main.txt").read_text()
        if code == "fails":
            return Checked("1", revision, Failed("bad_function", "it fails", "mend it"))
        return Checked("1", msgspec.structs.replace(revision, handler="main:handler"))

    def restart(self) -> None:
        self.run(self.control.close())
        self.run(self._open())

    def close(self) -> None:
        self.run(self.control.close())
        self.place.close()
        shutil.rmtree(self.room)

    def ask(self, method: str, path: str, body: bytes = b"", *lines: str, token: str | None = None) -> Answer:
        return self.run(self.asking(method, path, body, *lines, token=token))

    async def asking(self, method: str, path: str, body: bytes = b"", *lines: str, token: str | None = None) -> Answer:
        bearer = f"Authorization: Bearer {self.secret if token is None else token}"
        head = [
            f"{method} {path} HTTP/1.1",
            "Host: localhost",
            "Connection: close",
            f"Content-Length: {len(body)}",
            bearer,
        ]
        wire = Wire(self.place.server)
        await wire.feed(["\r\n".join([*head, *lines, "", ""]).encode() + body])
        try:
            async with asyncio.timeout(PATIENCE_S):
                await wire.ended.wait()
        except TimeoutError:
            raise AssertionError(f"no answer to {method} {path}: {bytes(wire.out[:300])!r}") from None
        await wire.hang_up()
        [answer] = answers(bytes(wire.out), [method.encode()], has_ended=True)
        return answer


class Seen:
    """The other planes, of which the API shows little here."""

    def __init__(self, clock: Clock) -> None:
        self.journal = MemoryJournal(Book(), "house", clock)

    async def workers(self, _: str | None = None) -> list[Any]:
        return []

    async def story(self, subject: str) -> list[Any]:
        return []

    async def calls(self, function: str | None, limit: int, call: str = "") -> list[Any]:
        assert 1 <= limit <= 10_000, "a limit comes through that is none"
        return []

    async def logs(self, function: str, since_s: float | None, follow: bool) -> Any:  # noqa: FBT001 - mirrors Observe
        return
        yield

    def info(self) -> dict[str, Any]:
        return {}


def which(desk: Desk, invocation: Invocation, _body: bytes) -> None:
    desk.end(invocation.id, Ok(invocation.revision.encode(), "text/plain"))
