"""The SQLite store on a real disk: conformance, other processes, kill -9, and files that are not ours."""

import asyncio
import contextlib
import itertools
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from attacca.errors import StateCorrupt, StateUnavailable
from attacca.io.store.conformance import check_shared, check_store
from attacca.io.store.schema import complaint
from attacca.io.store.sqlite import SqliteStore
from attacca.io.store.types import ABSENT, Store
from attacca.kernel.clock import ManualClock, SystemClock

CLOCK = SystemClock()

WRITER = """
import asyncio, sys
from pathlib import Path
from attacca.io.store.schema import complaint
from attacca.io.store.sqlite import SqliteStore
from attacca.kernel.clock import SystemClock

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]), SystemClock())
    for number in range(100_000):
        await store.put_if(f"k/{number:06}", b"x" * 100, 0)
        print(number, flush=True)

asyncio.run(main())
"""


def test_the_sqlite_store_does_what_a_store_does(tmp_path: Path) -> None:
    numbers, clock = itertools.count(), ManualClock(1000.0)

    async def sqlite() -> Store:
        return await SqliteStore.open(tmp_path / f"{next(numbers)}.db", clock)

    def elapse(seconds: float) -> None:
        clock.time += seconds

    asyncio.run(check_store(sqlite, elapse))


def test_two_openings_of_one_file_see_each_other(tmp_path: Path) -> None:
    async def main() -> None:
        first = await SqliteStore.open(tmp_path / "state.db", CLOCK, poll_s=0.01)
        second = await SqliteStore.open(tmp_path / "state.db", CLOCK, poll_s=0.01)
        assert repr(first) == "<SqliteStore open, 0 watch>"
        await check_shared(first, second)
        await first.close()
        assert repr(first).startswith("<SqliteStore closed, ")
        await second.close()

    asyncio.run(main())


def test_it_is_looked_at_as_it_was_at_one_moment_whatever_others_write_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    lines: list[str] = []

    def write(line: str) -> None:
        lines.append(line)
        other.executescript(
            "BEGIN IMMEDIATE; UPDATE counter SET count = count + 1;"
            "INSERT OR REPLACE INTO entries SELECT 'a', x'31', count FROM counter; COMMIT"
        )

    async def main() -> None:
        await (await SqliteStore.open(path, CLOCK)).close()

    asyncio.run(main())
    with contextlib.closing(sqlite3.connect(path)) as db, contextlib.closing(sqlite3.connect(path)) as other:
        db.set_trace_callback(write)
        assert complaint(db) == ""
    assert sum("FROM counter" in line or "FROM entries" in line for line in lines) > 1


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "state.db"

    async def main() -> None:
        store = await SqliteStore.open(path, CLOCK)
        await store.put_if("a", b"1", ABSENT)
        assert {entry.stat().st_mode & 0o777 for entry in os.scandir(tmp_path)} == {0o600}
        await store.close()

    asyncio.run(main())


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as writer:
        assert writer.stdout is not None
        for _ in range(50):
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)

    async def main() -> None:
        store = await SqliteStore.open(path, CLOCK)
        keys = [entry.key for entry in await store.scan("k/")]
        assert keys[: acknowledged + 1] == [f"k/{number:06}" for number in range(acknowledged + 1)]
        assert keys == [f"k/{number:06}" for number in range(len(keys))]
        await store.close()

    asyncio.run(main())


def refusal(path: Path) -> StateCorrupt:
    async def main() -> None:
        store = await SqliteStore.open(path, CLOCK)
        await store.close()

    before = path.read_bytes()
    with pytest.raises(StateCorrupt) as caught:
        asyncio.run(main())
    assert path.read_bytes() == before
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\x00" + b"\x7f" * 5000, b"\x00" * 8192])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    refusal(path)


def test_damage_in_the_middle_is_found_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "state.db"

    async def fill() -> None:
        store = await SqliteStore.open(path, ManualClock())
        for number in range(200):
            await store.put_if(f"k{number}", os.urandom(500), ABSENT)
        await store.close()

    asyncio.run(fill())
    content = bytearray(path.read_bytes())
    content[8192:16384] = os.urandom(8192)
    path.write_bytes(content)
    refusal(path)
    path.write_bytes(content[: len(content) // 2])
    refusal(path)


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    assert "another program" in refusal(path).message


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"

    async def main() -> None:
        await (await SqliteStore.open(path, CLOCK)).close()

    asyncio.run(main())
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "newer attacca (schema 99" in refusal(path).message


OTHERS = {
    "PRAGMA user_version = 0": "schema version 0",
    "PRAGMA user_version = -1": "schema version -1",
    "PRAGMA application_id = 0": "another program",
    "DROP TABLE leases": "table 'leases' is missing",
    "DROP TABLE counter": "table 'counter' is missing",
    "DROP TABLE entries; CREATE VIEW entries AS SELECT 'a' AS key": "table 'entries' is missing",
    "ALTER TABLE entries DROP COLUMN version": "no column 'version'",
    "ALTER TABLE leases RENAME COLUMN fence TO gate": "no column 'fence'",
    "ALTER TABLE counter ADD COLUMN more TEXT": "column 'more'",
    "DROP TABLE counter; CREATE TABLE counter (count TEXT NOT NULL)": "no column 'count' of type INTEGER",
    "CREATE TABLE bookmarks (url TEXT)": "table 'bookmarks'",
    "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END": "trigger 't'",
    "DELETE FROM counter": "count of changes",
    "INSERT INTO counter VALUES (1)": "count of changes",
    "UPDATE counter SET count = 9007199254740993": "count of changes",
    "UPDATE counter SET count = 'many'": "another type",
    "UPDATE entries SET value = 'text'": "another type",
    "UPDATE entries SET version = 7": "count of changes",
}


@pytest.mark.parametrize("statements", OTHERS)
def test_a_database_that_is_not_as_attacca_makes_it_is_refused_as_what_it_is(tmp_path: Path, statements: str) -> None:
    path = tmp_path / "state.db"

    async def main() -> None:
        store = await SqliteStore.open(path, CLOCK)
        await store.put_if("a", b"1", ABSENT)
        await store.close()

    asyncio.run(main())
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(statements)
    assert OTHERS[statements] in refusal(path).message


def test_what_another_program_has_only_marked_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA user_version = 3; VACUUM")
    assert "another program" in refusal(path).message


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_what_is_no_file_is_refused_as_that(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "state.db"
    path.mkdir() if kind == "directory" else os.mkfifo(path)
    with pytest.raises(StateCorrupt, match="directory" if kind == "directory" else "no file"):
        asyncio.run(SqliteStore.open(path, CLOCK))


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "state.db", CLOCK)
        await store.close()
        await store.close()
        with pytest.raises(StateUnavailable):
            await store.get("a")

    asyncio.run(main())
