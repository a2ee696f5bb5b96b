"""A journal in one SQLite file, open to several processes at once: what is written together is made durable together.

While one transaction is on its way to the disk, the writes that come are gathered for the next (group commit): an
acknowledgement always waits for an fsync, but hundreds can wait for the same one.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from attacca.errors import StateUnavailable
from attacca.io.journal.memory import GONE, STORED, cancelled, keeps_request, revived
from attacca.io.journal.schema import APPLICATION_ID, SCHEMA, SCHEMA_VERSION, inspect, is_empty
from attacca.io.journal.types import Amount, Told
from attacca.io.store.sqlite import BUSY_TIMEOUT_S, create_privately, translated
from attacca.kernel.clock import Clock
from attacca.model.async_call import (
    Accept,
    Advance,
    AsyncCall,
    Cancel,
    Delete,
    Gone,
    Mark,
    Record,
    Repeated,
    Result,
    Revive,
    State,
    Unwritten,
    Update,
    Write,
)
from attacca.model.invocation import Outcome, Request

T = TypeVar("T")
BATCH = 1000  # writes that go into one transaction
LEASE_S = 3.0  # until somebody says how long
SWEPT = 1000  # calls that are forgotten in one
ENCODER = msgspec.msgpack.Encoder()
CALL = msgspec.msgpack.Decoder(AsyncCall)
REQUEST = msgspec.msgpack.Decoder(Request)
OUTCOME: msgspec.msgpack.Decoder[Outcome] = msgspec.msgpack.Decoder(Outcome)
INSERT = "INSERT INTO calls VALUES (?, ?, ?, 1, ?, ?, 0, ?, ?, ?, ?, NULL)"
ALL = "call, request, outcome"


class SqliteJournal:
    """All of it runs in one thread of its own, so that a slow disk never holds up the loop."""

    def __init__(self, path: Path, owner: str, clock: Clock) -> None:
        self._path = path
        self._owner = owner
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="attacca-journal")
        self._connection: sqlite3.Connection | None = None
        self._waiting: list[tuple[Write, Told]] = []
        self._is_writing = self._is_closed = False
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._lease_s = LEASE_S
        self._leased_until = 0.0  # by the time of day
        self._added = 0  # bytes, in the transaction that goes on
        self.commits = 0

    def __repr__(self) -> str:
        return f"<SqliteJournal {self._path.name}: {len(self._waiting)} writes wait, {self.commits} commits>"

    @classmethod
    async def open(cls, path: Path, owner: str, clock: Clock) -> Self:
        """Open the file, or make it where there is none. `owner` is a name that nobody had before.

        Raises:
            StateCorrupt: the file is damaged, of another program, or of a newer attacca; it is left as it is.
            StateUnavailable: it cannot be opened now.
        """
        journal = cls(path, owner, clock)
        try:
            await journal._call(journal._open)
        except BaseException:
            journal._thread.shutdown(wait=False)
            raise
        return journal

    # On the loop.

    def write(self, write: Write, told: Told) -> None:
        if self._is_closed:
            asyncio.get_running_loop().call_soon(told, Unwritten(self._ended()))
            return
        self._waiting.append((write, told))
        if not self._is_writing:
            self._begin()

    def _begin(self) -> None:
        batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        self._is_writing = True
        self._is_idle.clear()
        loop = asyncio.get_running_loop()
        writes = [write for write, _ in batch]

        def done(future: "Future[list[Result]]") -> None:
            loop.call_soon_threadsafe(self._committed, batch, future)

        self._thread.submit(self._commit, writes).add_done_callback(done)

    def _committed(self, batch: list[tuple[Write, Told]], future: "Future[list[Result]]") -> None:
        self._is_writing = False
        if self._waiting:
            self._begin()  # the disk works while the others are told
        else:
            self._is_idle.set()
        for (_, told), result in zip(batch, future.result(), strict=True):
            told(result)

    async def find(self, call: str) -> Record | None:
        query = f"SELECT {ALL} FROM calls WHERE id = ?"  # noqa: S608 - our own names
        row = await self._call(lambda: self._db().execute(query, (call,)).fetchone())
        return None if row is None else _record(*row)

    async def latest(self, state: State | None, function: str | None, limit: int) -> list[AsyncCall]:
        states = list(State) if state is None else [state]
        wanted = [one.value for one in states] + [function] * (function is not None)
        # The index has all that is looked at, so that no record is read but those that are shown.
        query = f"""SELECT call FROM calls WHERE rowid IN (SELECT rowid FROM calls
            WHERE state IN ({", ".join("?" * len(states))}) {"AND function = ?" * (function is not None)}
            ORDER BY at DESC LIMIT ?) ORDER BY at DESC, id"""  # noqa: S608 - our own names
        rows = await self._call(lambda: self._db().execute(query, [*wanted, limit]).fetchall())
        return [CALL.decode(row[0]) for row in rows]

    async def claim(self, lease_s: float, limit: int) -> list[AsyncCall]:
        rows = await self._call(lambda: self._claim(lease_s, limit))
        return [CALL.decode(row) for row in rows]

    async def leave(self) -> None:
        self._leased_until = 0.0
        await self._call(lambda: self._db().execute("DELETE FROM owners WHERE name = ?", (self._owner,)))

    async def marks(self) -> dict[str, Mark]:
        rows = await self._call(lambda: self._db().execute("SELECT name, due, missed FROM marks").fetchall())
        return {name: Mark(name, due, missed) for name, due, missed in rows}

    async def sweep(self, now: float, bytes_most: int) -> int:
        return await self._call(lambda: self._sweep(now, bytes_most))

    async def amount(self) -> Amount:
        query = "SELECT state, count(*) FROM calls GROUP BY state UNION ALL SELECT 'bytes', bytes FROM totals"
        count = dict(await self._call(lambda: self._db().execute(query).fetchall()))
        waiting, done, dead, cancelled = (count.get(state.value, 0) for state in State)
        return Amount(waiting, done, dead, cancelled, count["bytes"])

    async def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            await self._is_idle.wait()
            await asyncio.get_running_loop().run_in_executor(self._thread, self._db().close)
            self._thread.shutdown(wait=False)

    async def _call(self, work: Callable[[], T]) -> T:
        """Have the thread do it, and say what went wrong in our own words."""
        if self._is_closed:
            raise self._ended()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise translated(self._path, error) from error

    def _ended(self) -> StateUnavailable:
        return StateUnavailable(f"{self._path} is closed", "the server is shutting down")

    # In the thread.

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
            connection.execute("BEGIN IMMEDIATE")
            if is_empty(connection):
                for statement in filter(str.strip, SCHEMA.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _commit(self, writes: list[Write]) -> list[Result]:
        db = self._db()
        try:
            db.execute("BEGIN IMMEDIATE")
            self._added = 0
            if any(isinstance(write, Accept) for write in writes):
                self._keep(db)
            results = [self._settle(db, write) for write in writes]
            db.execute("UPDATE totals SET bytes = bytes + ?", (self._added,))
            db.execute("COMMIT")
        except sqlite3.Error as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            self._leased_until = 0.0
            failed: Result = Unwritten(translated(self._path, error))
            return [failed] * len(writes)
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self.commits += 1
        return results

    def _keep(self, db: sqlite3.Connection) -> None:
        """What is ours is nobody else's: who has nothing keeps no lease, and lets the disk rest."""
        now = self._clock.wall()
        if not now < self._leased_until - self._lease_s / 2 < now + self._lease_s:
            self._lease(db, now)

    def _lease(self, db: sqlite3.Connection, now: float) -> None:
        db.execute("INSERT OR REPLACE INTO owners VALUES (?, ?)", (self._owner, now + self._lease_s))
        self._leased_until = now + self._lease_s

    def _settle(self, db: sqlite3.Connection, write: Write) -> Result:
        match write:
            case Accept():
                return self._accept(db, write)
            case Update():
                return self._update(db, write)
            case Cancel():
                return self._cancel(db, write)
            case Revive():
                return self._revive(db, write)
            case Delete():
                return self._delete(db, write)
            case Advance(mark=mark):
                return STORED if _advance(db, mark) else GONE

    def _accept(self, db: sqlite3.Connection, write: Accept) -> Result:
        call = write.call
        if call.key:
            row = db.execute(f"SELECT {ALL} FROM calls WHERE key = ?", (call.key,)).fetchone()  # noqa: S608
            if row is not None:
                return Repeated(_record(*row))
        if write.mark is not None and not _advance(db, write.mark):
            return GONE
        request = ENCODER.encode(write.request)
        row = (
            call.id, call.function, call.state.value, self._owner, call.at, call.key or None, len(request),
            ENCODER.encode(call), request,
        )  # fmt: skip
        try:
            db.execute(INSERT, row)
        except sqlite3.IntegrityError:
            return GONE
        self._added += len(request)
        return STORED

    def _update(self, db: sqlite3.Connection, write: Update) -> Result:
        call = write.call
        outcome = None if write.outcome is None else ENCODER.encode(write.outcome)
        query = (
            "UPDATE calls SET state = ?, open = ?, expires_at = ?, call = ?, request = CASE WHEN ? THEN request END, "
            "outcome = coalesce(?, outcome) WHERE id = ? AND owner = ? AND open RETURNING "
            "coalesce(length(request), 0) + coalesce(length(outcome), 0), size"
        )
        wanted = (
            call.state.value, call.is_open, call.expires_at, ENCODER.encode(call), keeps_request(call), outcome,
            call.id, self._owner,
        )  # fmt: skip
        rows = db.execute(query, wanted).fetchall()
        if not rows:
            return _gone(db, call.id)
        size, before = rows[0]
        if size != before:
            db.execute("UPDATE calls SET size = ? WHERE id = ?", (size, call.id))
            self._added += size - before
        return STORED

    def _cancel(self, db: sqlite3.Connection, write: Cancel) -> Result:
        call = _call_of(db, write.id)
        if call is None or call.state is not State.WAITING:
            return Gone(call)
        call = cancelled(call, write)
        self._added -= _size_of(db, call.id)
        query = "UPDATE calls SET state = ?, open = 0, expires_at = ?, call = ?, request = NULL, size = 0 WHERE id = ?"
        db.execute(query, (call.state.value, call.expires_at, ENCODER.encode(call), call.id))
        return STORED

    def _revive(self, db: sqlite3.Connection, write: Revive) -> Result:
        call = _call_of(db, write.id)
        if call is None or call.state is not State.DEAD or call.is_open:
            return Gone(call)
        call = revived(call, write)
        query = "UPDATE calls SET state = ?, open = 1, owner = '', at = ?, expires_at = 0, call = ?, outcome = NULL"
        query += ", size = length(request) WHERE id = ?"
        self._added -= _size_of(db, call.id)
        db.execute(query, (call.state.value, call.at, ENCODER.encode(call), call.id))
        self._added += _size_of(db, call.id)
        return STORED

    def _delete(self, db: sqlite3.Connection, write: Delete) -> Result:
        query = "DELETE FROM calls WHERE id = ? AND (NOT open OR (? AND owner = ?)) RETURNING size"
        rows = db.execute(query, (write.id, write.open, self._owner)).fetchall()
        if not rows:
            return _gone(db, write.id)
        self._added -= rows[0][0]
        return STORED

    def _claim(self, lease_s: float, limit: int) -> list[bytes]:
        db, now = self._db(), self._clock.wall()
        self._lease_s = lease_s
        ours = "SELECT 1 FROM calls WHERE open AND owner = ? LIMIT 1"
        left = "SELECT 1 FROM calls WHERE open AND owner NOT IN (SELECT name FROM owners WHERE until > ?) LIMIT 1"
        if not db.execute(ours, (self._owner,)).fetchone() and not (limit and db.execute(left, (now,)).fetchone()):
            return []
        query = (
            "UPDATE calls SET owner = ? WHERE rowid IN (SELECT rowid FROM calls WHERE open AND owner NOT IN "
            "(SELECT name FROM owners) LIMIT ?) RETURNING call"
        )
        db.execute("BEGIN IMMEDIATE")
        try:
            self._lease(db, now)
            db.execute("DELETE FROM owners WHERE until <= ?", (now,))
            rows = db.execute(query, (self._owner, limit)).fetchall()
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return [row[0] for row in rows]

    def _sweep(self, now: float, bytes_most: int) -> int:
        """At most so many in one go, as writes wait for that."""
        db = self._db()
        expired = "SELECT rowid FROM calls WHERE NOT open AND expires_at <= ? LIMIT ?"
        oldest = "SELECT id, size FROM calls WHERE NOT open ORDER BY expires_at, id LIMIT ?"
        db.execute("BEGIN IMMEDIATE")
        try:
            rows = db.execute(f"DELETE FROM calls WHERE rowid IN ({expired}) RETURNING size", (now, SWEPT)).fetchall()  # noqa: S608
            freed, forgotten = sum(size for (size,) in rows), len(rows)
            kept = db.execute("SELECT bytes FROM totals").fetchone()[0] - freed
            for call, size in db.execute(oldest, (SWEPT,)).fetchall() if kept > bytes_most else ():
                if kept <= bytes_most:
                    break
                db.execute("DELETE FROM calls WHERE id = ?", (call,))
                kept, freed, forgotten = kept - size, freed + size, forgotten + 1
            db.execute("UPDATE totals SET bytes = bytes - ?", (freed,))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return forgotten


def _record(call: bytes, request: bytes | None, outcome: bytes | None) -> Record:
    return Record(
        CALL.decode(call),
        None if request is None else REQUEST.decode(request),
        None if outcome is None else OUTCOME.decode(outcome),
    )


def _call_of(db: sqlite3.Connection, call: str) -> AsyncCall | None:
    row = db.execute("SELECT call FROM calls WHERE id = ?", (call,)).fetchone()
    return None if row is None else CALL.decode(row[0])


def _size_of(db: sqlite3.Connection, call: str) -> int:
    size: int = db.execute("SELECT size FROM calls WHERE id = ?", (call,)).fetchone()[0]
    return size


def _gone(db: sqlite3.Connection, call: str) -> Gone:
    return Gone(_call_of(db, call))


def _advance(db: sqlite3.Connection, mark: Mark) -> bool:
    query = (
        "INSERT INTO marks VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
        "SET due = excluded.due, missed = missed + excluded.missed WHERE due < excluded.due"
    )
    return db.execute(query, (mark.name, mark.due, mark.missed)).rowcount == 1
