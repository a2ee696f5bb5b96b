"""What the journal's database consists of."""

import sqlite3
from contextlib import closing
from pathlib import Path

from attacca.errors import StateUnavailable
from attacca.io.store.sqlite import BUSY_TIMEOUT_S, corrupt, tell_unread, translated

APPLICATION_ID = 0x6174636A  # "atcj": tells our files from those of other programs
SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE calls (id TEXT NOT NULL PRIMARY KEY, function TEXT NOT NULL, state TEXT NOT NULL, open INTEGER NOT NULL,
    owner TEXT NOT NULL, at REAL NOT NULL, expires_at REAL NOT NULL, key TEXT, size INTEGER NOT NULL,
    call BLOB NOT NULL, request BLOB, outcome BLOB);
CREATE UNIQUE INDEX by_key ON calls (key) WHERE key IS NOT NULL;
CREATE INDEX by_owner ON calls (owner) WHERE open;
CREATE INDEX by_state ON calls (state, function, at);
CREATE INDEX by_end ON calls (expires_at) WHERE NOT open;
CREATE TABLE marks (name TEXT NOT NULL PRIMARY KEY, due REAL NOT NULL, missed INTEGER NOT NULL);
CREATE TABLE totals (bytes INTEGER NOT NULL);
INSERT INTO totals VALUES (0);
CREATE TABLE owners (name TEXT NOT NULL PRIMARY KEY, until REAL NOT NULL);
"""
TABLES = {"calls", "marks", "owners", "totals"}


def is_empty(db: sqlite3.Connection) -> bool:
    return not _number(db, "PRAGMA application_id") and not _number(db, "SELECT count(*) FROM sqlite_master")


def complaint(db: sqlite3.Connection) -> str:
    """Why this is no journal of this version that can be worked with; empty: it is one."""
    if _number(db, "PRAGMA application_id") != APPLICATION_ID:
        return "it is a database of another program"
    version = _number(db, "PRAGMA user_version")
    if version > SCHEMA_VERSION:
        return f"it was written by a newer attacca (schema {version}, this one knows {SCHEMA_VERSION})"
    if version < SCHEMA_VERSION:
        return f"it has the schema version {version}, which no attacca has written"
    damage: str = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if damage != "ok":
        return damage
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return "" if tables >= TABLES else f"its table {min(TABLES - tables)!r} is missing"


def inspect(path: Path) -> bool:
    """Look at the file through a connection that cannot write; False when there is nothing in it yet.

    Raises:
        StateCorrupt: see SqliteJournal.open.
        StateUnavailable: it cannot be read now.
    """
    wal = path.with_name(f"{path.name}-wal")
    try:
        if not path.exists() or path.stat().st_size == 0:
            if wal.exists() and wal.stat().st_size > 0:  # SQLite would throw it away
                raise corrupt(path, "it is empty or gone, but its latest writes are there")
            return False
        if not path.is_file():
            raise corrupt(path, "it is no file")
        tell_unread(path, wal)
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=BUSY_TIMEOUT_S, uri=True)) as db:
            if is_empty(db):
                return False
            found = complaint(db)
    except sqlite3.Error as error:
        raise translated(path, error) from error
    except OSError as error:
        raise StateUnavailable(f"{path} cannot be opened: {error.strerror}", "check its owner and mode") from error
    if found:
        raise corrupt(path, found)
    return True


def _number(db: sqlite3.Connection, query: str) -> int:
    row = db.execute(query).fetchone()
    return int(row[0] or 0)
