"""A store in one SQLite file: durable when a call returns, and open to several processes at once."""

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self, TypeVar

from attacca.errors import AttaccaError, StateCorrupt, StateUnavailable
from attacca.io.store.journal import Unread, unread
from attacca.io.store.memory import conflict, differences, lost
from attacca.io.store.schema import APPLICATION_ID, SCHEMA, SCHEMA_VERSION, complaint, is_empty
from attacca.io.store.types import ABSENT, Change, Entry, Lease, checked
from attacca.kernel.clock import Clock

T = TypeVar("T")
LOG = logging.getLogger("attacca.store")

BUSY_TIMEOUT_S = 10.0
POLL_S = 0.5  # how soon a watcher sees what another process wrote


class SqliteStore:
    """All calls run one after the other in one thread of its own, so that a slow disk never holds up the loop."""

    def __init__(self, path: Path, clock: Clock, poll_s: float = POLL_S) -> None:
        self._path = path
        self._clock = clock
        self._poll_s = poll_s
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="attacca-store")
        self._watchers: list[asyncio.Event] = []
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        is_open = self._connection is not None and not self._is_closed
        return f"<SqliteStore {'open' if is_open else 'closed'}, {len(self._watchers)} watch>"

    @classmethod
    async def open(cls, path: Path, clock: Clock, poll_s: float = POLL_S) -> Self:
        """Open the file, or make it where there is none.

        Raises:
            StateCorrupt: the file is damaged, of another program, or of a newer attacca; it is left as it is.
            StateUnavailable: it cannot be opened now.
        """
        store = cls(path, clock, poll_s)
        try:
            await store._call(store._open)
        except BaseException:
            store._thread.shutdown(wait=False)
            raise
        return store

    async def get(self, key: str) -> Entry | None:
        return await self._call(lambda: self._read(checked(key)))

    async def put_if(self, key: str, value: bytes, version: int | None, under: Lease | None = None) -> Entry:
        entry = await self._call(lambda: self._put(checked(key), value, version, under))
        self._wake()
        return entry

    async def delete(self, key: str, version: int | None = None, under: Lease | None = None) -> bool:
        was_there = await self._call(lambda: self._delete(checked(key), version, under))
        if was_there:
            self._wake()
        return was_there

    async def scan(self, prefix: str) -> list[Entry]:
        query = "SELECT key, value, version FROM entries WHERE key >= ? AND key < ? ORDER BY key"
        rows = await self._call(lambda: self._db().execute(query, (prefix, prefix + "\x7f")).fetchall())
        return [Entry(*row) for row in rows]

    async def watch(self, prefix: str) -> AsyncIterator[Change]:
        changed = asyncio.Event()
        self._watchers.append(changed)
        seen: dict[str, Entry] = {}
        try:
            while True:
                changed.clear()
                others = await self._call(self._writes_of_others)
                now = {entry.key: entry for entry in await self.scan(prefix)}
                for change in differences(seen, now):
                    yield change
                seen = now
                while not changed.is_set() and others == await self._call(self._writes_of_others):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._poll_s):  # `wait_for` may lose a cancellation on 3.11
                            await changed.wait()
        finally:
            self._watchers.remove(changed)

    async def lease(self, key: str, holder: str, ttl_s: float) -> Lease | None:
        return await self._call(lambda: self._lease(checked(key), holder, ttl_s))

    async def release(self, lease: Lease) -> bool:
        query = "DELETE FROM leases WHERE key = ? AND fence = ? AND expires_at > ?"
        arguments = (lease.key, lease.fence, self._clock.wall())
        return await self._call(lambda: self._db().execute(query, arguments).rowcount == 1)

    async def close(self) -> None:
        """Let go of the file; a watch that is still read ends with StateUnavailable."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._db().close)
            self._thread.shutdown(wait=False)
            self._wake()

    # Everything below runs in the store's own thread, except where it says otherwise.

    async def _call(self, work: Callable[[], T]) -> T:
        """On the loop: have the thread do it, and say what went wrong in our own words."""
        if self._is_closed:
            raise StateUnavailable(f"{self._path} is closed", "the server is shutting down")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise translated(self._path, error) from error

    def _wake(self) -> None:
        """On the loop."""
        for changed in self._watchers:
            changed.set()

    def _db(self) -> sqlite3.Connection:
        assert self._connection is not None, "open() comes first"
        return self._connection

    def _open(self) -> None:
        if not inspect(self._path):
            create_privately(self._path)
        connection = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )  # closed in whatever thread close() is called from
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            self._connection = connection
            with self._transaction() as db:
                if db.execute("PRAGMA application_id").fetchone()[0] == 0:
                    for statement in filter(str.strip, SCHEMA.split(";")):
                        db.execute(statement)
                    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except BaseException:
            self._connection = None
            connection.close()
            raise

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._db()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def _next(self, db: sqlite3.Connection) -> int:
        db.execute("UPDATE counter SET count = count + 1")
        count: int = db.execute("SELECT count FROM counter").fetchone()[0]
        return count

    def _read(self, key: str) -> Entry | None:
        row = self._db().execute("SELECT key, value, version FROM entries WHERE key = ?", (key,)).fetchone()
        return None if row is None else Entry(*row)

    def _expect(self, db: sqlite3.Connection, key: str, version: int | None, under: Lease | None) -> None:
        if under is not None:
            query = "SELECT 1 FROM leases WHERE key = ? AND fence = ? AND expires_at > ?"
            if db.execute(query, (under.key, under.fence, self._clock.wall())).fetchone() is None:
                raise lost(under)
        entry = self._read(key)
        found = ABSENT if entry is None else entry.version
        if version is not None and version != found:
            raise conflict(key, version, found)

    def _put(self, key: str, value: bytes, version: int | None, under: Lease | None) -> Entry:
        with self._transaction() as db:
            self._expect(db, key, version, under)
            entry = Entry(key, value, self._next(db))
            db.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (key, value, entry.version))
        return entry

    def _delete(self, key: str, version: int | None, under: Lease | None) -> bool:
        with self._transaction() as db:
            self._expect(db, key, version, under)
            return db.execute("DELETE FROM entries WHERE key = ?", (key,)).rowcount == 1

    def _lease(self, key: str, holder: str, ttl_s: float) -> Lease | None:
        with self._transaction() as db:
            now = self._clock.wall()
            # One that lasts longer than anybody asks for was taken before the clock was set back.
            query = "SELECT holder, fence FROM leases WHERE key = ? AND expires_at > ? AND expires_at <= ?"
            held = db.execute(query, (key, now, now + ttl_s)).fetchone()
            if held is not None and held[0] != holder:
                return None
            fence = self._next(db) if held is None else held[1]
            db.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)", (key, holder, fence, now + ttl_s))
        return Lease(key, holder, fence)

    def _writes_of_others(self) -> int:
        version: int = self._db().execute("PRAGMA data_version").fetchone()[0]
        return version


def inspect(path: Path) -> bool:
    """Look at the file through a connection that cannot write; False when there is nothing in it yet.

    Raises:
        StateCorrupt: see SqliteStore.open.
        StateUnavailable: it cannot be read now.
    """
    journal = path.with_name(f"{path.name}-wal")
    try:
        if path.exists() and not path.is_file():
            raise corrupt(path, "it is a directory" if path.is_dir() else "it is no file")
        if not path.exists() or path.stat().st_size == 0:
            if journal.exists() and journal.stat().st_size > 0:  # SQLite would throw it away
                raise corrupt(path, "it is empty or gone, but there is a journal of its latest writes")
            return False
        tell_unread(path, journal)
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=BUSY_TIMEOUT_S, uri=True)) as db:
            if is_empty(db):
                return False
            found = complaint(db)
    except sqlite3.Error as error:
        raise translated(path, error) from error
    except OSError as error:
        raise StateUnavailable(f"{path} cannot be opened: {error.strerror}", "check its owner and mode") from error
    if "a newer attacca" in found:
        hint = "install that version again, or choose another directory with --state-dir"
        raise StateCorrupt(f"the state database {path} cannot be read: {found}; it is left as it is", hint)
    if found:
        raise corrupt(path, found)
    return True


def tell_unread(path: Path, journal: Path) -> None:
    """
    Raises:
        StateCorrupt: changes that were acknowledged would be passed over without a word.
    """
    found = _settled(journal)
    if found is None:
        return
    if not found.is_damage:
        LOG.warning("%s: its last change cannot be read: it was interrupted by a crash, or is damaged", journal)
        return
    merge = f"import sqlite3; sqlite3.connect({str(path)!r}).execute('PRAGMA wal_checkpoint(TRUNCATE)')"
    raise StateCorrupt(
        f"the journal {journal} is damaged: {found.commits} of the latest changes cannot be read; it is left as it is",
        f'restore the state directory from a backup; or go on without them: python3 -c "{merge}"',
    )


def _settled(journal: Path) -> Unread | None:
    """As it is when nobody writes it: another process may be at it."""
    content = _content(journal)
    while (found := unread(content)) is not None:
        again = _content(journal)
        if again == content:
            return found
        content = again
    return None


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def create_privately(path: Path) -> None:
    """An empty file that only its owner can read; SQLite gives the same mode to what it puts beside it."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StateUnavailable(f"{path} cannot be made: {error.strerror}", "check the directory's mode") from error


def corrupt(path: Path, reason: str) -> StateCorrupt:
    return StateCorrupt(
        f"the state database {path} cannot be read: {reason}; it is left as it is",
        "restore it from a backup, or choose another directory with --state-dir to start empty",
    )


def translated(path: Path, error: sqlite3.Error) -> AttaccaError:
    """A full or busy disk may pass; everything else that SQLite says of a file means damage."""
    if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
        return StateUnavailable(
            f"the state database {path} cannot be used now: {error}",
            "check free space and mode of the directory, and which other processes have it open",
        )
    if isinstance(error, sqlite3.DatabaseError):
        return corrupt(path, str(error))
    return StateUnavailable(f"the state database {path} cannot be used now: {error}")
