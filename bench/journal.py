"""What it costs to acknowledge an asynchronous call only when it is on the disk: many commits, or one for many."""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from attacca.errors import AttaccaError
from attacca.gateway.async_calls import AsyncCalls, new_owner
from attacca.gateway.config import AsyncConfig, GatewayConfig
from attacca.gateway.driver import Gateway
from attacca.io.journal.sqlite import ENCODER, INSERT, SqliteJournal
from attacca.kernel.clock import SystemClock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.async_call import AsyncCall
from attacca.model.function import AsyncSettings, PythonDirectory, Revision, Settings, Signature
from attacca.model.invocation import Outcome, Request
from attacca.model.messages import Catalogue, WorkerJoined
from attacca.model.resources import Resources
from attacca.model.sandbox import WorkerView
from bench.result import Result, Round

AT_ONCE = 256  # clients that each ask again when they are told
REQUEST = Request(b"x" * 128, "application/octet-stream")


def accepted(rounds: int, seconds: int) -> Iterator[Result]:
    """Per second, by one gateway's machine and journal: without HTTP, whose price is another measure's."""
    found = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="attacca-bench-") as directory:
            file = Path(directory) / "calls.db"
            together = asyncio.run(_together(file, seconds))
            found.append(Round(together, _one_by_one(file, seconds)))
    name = f"asynchronous calls accepted, {AT_ONCE} at once, each after its fsync"
    yield Result(name, "/s", "one-row commits of the same file", 3.0, found, at_least=True)


class Asker:
    """Asks for a call, and when that is accepted, for the next."""

    def __init__(self, calls: AsyncCalls, until: float) -> None:
        self.count = 0
        self.done = asyncio.Event()
        self._calls = calls
        self._until = until

    def ask(self) -> None:
        at = self._calls.wall()
        call = AsyncCall(id=self._calls.new_id(), function="f", at=at, due=at, size=len(REQUEST.body))
        self._calls.ask(call, REQUEST, self)

    def accepted(self, call: AsyncCall, *, is_repeat: bool) -> None:
        self.count += 1
        if time.monotonic() < self._until:
            self.ask()
        else:
            self.done.set()

    def answered(self, call: AsyncCall, outcome: Outcome, *, is_repeat: bool) -> None:
        raise AssertionError("nobody waits for an answer")

    def rejected(self, error: AttaccaError) -> None:
        raise error

    def cancelled(self, call: str) -> None:
        raise AssertionError("nothing is cancelled")


async def _together(file: Path, seconds: float) -> float:
    clock, streams = SystemClock(), Streams(1)
    ids, chance = Ids(streams.stream("ids")), streams.stream("balancing")
    gateway = Gateway(GatewayConfig(silent_s=3600), clock, ids, chance, lambda _, __: None)
    settings = Settings(name="f", async_=AsyncSettings(queue=1_000_000))
    artefact, signature = PythonDirectory("c0de"), Signature.EVENT
    revision = Revision(
        function="f", number=1, settings=settings, handler="main:f", signature=signature, artefact=artefact
    )
    gateway.receive(Catalogue(1, (revision,)))
    nothing = Resources(0)
    view = WorkerView(name="w", capacity=nothing, used=nothing, queued=0, running=0, limit=1)
    gateway.receive(WorkerJoined(view))  # a few attempts run, and do not end
    journal = await SqliteJournal.open(file, new_owner(), clock)
    calls = AsyncCalls(gateway, journal, AsyncConfig(calls=1_000_000), clock, streams.stream("async"))
    calls.open()
    began = time.monotonic()
    askers = [Asker(calls, began + seconds) for _ in range(AT_ONCE)]
    for asker in askers:
        asker.ask()
    for asker in askers:
        await asker.done.wait()
    took_s = time.monotonic() - began
    await calls.close()
    await journal.close()
    return sum(asker.count for asker in askers) / took_s


def _one_by_one(file: Path, seconds: float) -> float:
    """Such rows in such a file, each with a commit and an fsync of its own."""
    count, began = 0, time.monotonic()
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = FULL")
        while time.monotonic() < began + seconds:
            call = AsyncCall(id=f"one-{count}", function="f", at=began, due=began, size=len(REQUEST.body))
            request = ENCODER.encode(REQUEST)
            row = (call.id, "f", "waiting", "me", call.at, None, len(request), ENCODER.encode(call), request)
            db.execute("BEGIN IMMEDIATE")
            db.execute(INSERT, row)
            db.execute("COMMIT")
            count += 1
    return count / (time.monotonic() - began)
