"""The journals of asynchronous calls pass the checks of every journal, on a real disk and on a real server."""

import asyncio
import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.errors import StateCorrupt
from attacca.io.journal.conformance import NOW, REQUEST, call, check_journal, over, put
from attacca.io.journal.opening import open_journal
from attacca.io.journal.redis import RedisJournal
from attacca.io.journal.sqlite import SqliteJournal
from attacca.io.journal.types import Journal
from attacca.io.store.address import parse
from attacca.io.store.config import StoreConfig
from attacca.kernel.clock import Clock, ManualClock, SystemClock
from attacca.model.async_call import Accept, Record, Stored, Unwritten, Update
from attacca.model.invocation import Ok
from tests.live.stores import StoreServer

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    server = StoreServer("redis", tmp_path_factory.mktemp("redis") / "data")
    server.start()
    yield server
    server.stop()


def test_one_in_a_file_passes_the_checks(tmp_path: Path) -> None:
    async def open_file(name: str, owner: str, clock: Clock) -> Journal:
        return await SqliteJournal.open(tmp_path / f"{name}.db", owner, clock)

    asyncio.run(check_journal(open_file))


def test_one_on_a_server_passes_the_checks(redis: StoreServer) -> None:
    """Its leases go by the server's clock: where the checks move theirs, they pass there as well."""

    async def open_remote(name: str, owner: str, clock: Clock) -> Journal:
        assert isinstance(clock, ManualClock)
        return await TimedJournal.open_timed(f"{redis.url()}?prefix=check{name}", owner, clock)

    asyncio.run(check_journal(open_remote))


class TimedJournal(RedisJournal):
    """One whose server's leases end as a clock says that is moved by hand."""

    _timed: ManualClock
    _ends: dict[str, dict[str, float]] = {}  # noqa: RUF012 - of each prefix, by owner

    @classmethod
    async def open_timed(cls, url: str, owner: str, clock: ManualClock) -> "TimedJournal":
        journal = await cls.open(parse(url), owner, 5.0)
        journal._timed = clock
        return journal

    async def claim(self, lease_s: float, limit: int) -> list:  # type: ignore[type-arg]
        ends = self._ends.setdefault(self._prefix, {})
        for owner, end in list(ends.items()):
            if end <= self._timed.wall():
                await self._redis.delete(self._at(f"owner:{owner}"))
                del ends[owner]
        ends[self._owner] = self._timed.wall() + lease_s
        return await super().claim(3600.0, limit)


def test_a_file_is_read_again(tmp_path: Path) -> None:
    async def script() -> None:
        first = await SqliteJournal.open(tmp_path / "calls.db", "first", SystemClock())
        await put(first, Accept(call("a"), REQUEST))
        await first.leave()
        await first.close()
        assert isinstance(await put(first, Accept(call("b"), REQUEST)), Unwritten)
        second = await SqliteJournal.open(tmp_path / "calls.db", "second", SystemClock())
        assert await second.find("a") == Record(call("a"), REQUEST)
        assert [one.id for one in await second.claim(3.0, 10)] == ["a"]
        assert repr(second) == "<SqliteJournal calls.db: 0 writes wait, 0 commits>"
        await second.close()

    asyncio.run(script())


def test_writes_that_come_together_are_synced_together(tmp_path: Path) -> None:
    async def script() -> None:
        journal = await SqliteJournal.open(tmp_path / "calls.db", "me", SystemClock())
        results = await asyncio.gather(*(put(journal, Accept(call(f"{n}"), REQUEST)) for n in range(500)))
        assert results == [Stored()] * 500
        assert journal.commits < 20
        await journal.close()

    asyncio.run(script())


def test_who_has_nothing_to_keep_lets_the_disk_rest(tmp_path: Path) -> None:
    async def script() -> None:
        clock = ManualClock(NOW)
        idle = await SqliteJournal.open(tmp_path / "calls.db", "idle", clock)
        busy = await SqliteJournal.open(tmp_path / "calls.db", "busy", clock)
        written = (tmp_path / "calls.db-wal").stat().st_size
        for _ in range(10):
            assert await idle.claim(3.0, 10) == await busy.claim(3.0, 10) == []
            clock.time += 1
        assert (tmp_path / "calls.db-wal").stat().st_size == written
        await put(busy, Accept(call("a"), REQUEST))
        clock.time += 2
        assert await idle.claim(3.0, 10) == [], "its lease came with it"
        clock.time += 2
        assert await idle.claim(3.0, 10) == [call("a")]
        await idle.close()
        await busy.close()

    asyncio.run(script())


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""])
def test_what_is_no_journal_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "calls.db"
    if content:
        file.write_bytes(content)
    else:
        with sqlite3.connect(file) as db:
            db.execute("CREATE TABLE theirs (x)")
            db.execute("PRAGMA application_id = 7")
        db.close()
    before = file.read_bytes()
    with pytest.raises(StateCorrupt):
        asyncio.run(SqliteJournal.open(file, "me", SystemClock()))
    assert file.read_bytes() == before


def test_where_the_state_is_there_is_the_journal(redis: StoreServer, tmp_path: Path) -> None:
    async def script() -> None:
        file = tmp_path / "calls.db"
        beside = await open_journal(StoreConfig(), file, "a", SystemClock())
        remote = await open_journal(redis.config(), file, "b", SystemClock())
        assert [type(one) for one in (beside, remote)] == [SqliteJournal, RedisJournal]
        assert repr(remote) == f"<RedisJournal redis://127.0.0.1:{redis.port}: 0 writes wait>"
        await beside.close()
        await remote.close()

    asyncio.run(script())


def test_one_is_opened_while_its_server_is_away(tmp_path: Path) -> None:
    server = StoreServer("redis", tmp_path / "data")

    async def script() -> None:
        journal = await RedisJournal.open(parse(server.url()), "me", 0.5)
        assert isinstance(await put(journal, Accept(call("a"), REQUEST)), Unwritten)
        server.start()
        assert await journal.claim(60.0, 10) == []
        assert await put(journal, Accept(call("a"), REQUEST)) == Stored()
        await journal.close()

    try:
        asyncio.run(script())
    finally:
        server.stop()


def test_a_server_that_is_away_says_so_and_loses_nothing(tmp_path: Path) -> None:
    server = StoreServer("redis", tmp_path / "data")
    server.start()

    async def script() -> None:
        journal = await RedisJournal.open(parse(server.url()), "me", 0.5)
        await journal.claim(60.0, 10)
        await put(journal, Accept(call("a"), REQUEST))
        server.kill()
        assert isinstance(await put(journal, Accept(call("b"), REQUEST)), Unwritten)
        server.start()
        for _ in itertools.count():
            result = await put(journal, Update(over(call("a"), expires_at=NOW + 10), Ok(b"done")))
            if result == Stored():
                break
        record = await journal.find("a")
        assert record is not None
        assert record.outcome == Ok(b"done")
        assert await journal.claim(60.0, 10) == [], "what was not written is not there"
        await journal.close()

    try:
        asyncio.run(script())
    finally:
        server.stop()
