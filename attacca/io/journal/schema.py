"""What the journal's database consists of."""

import sqlite3

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
CREATE TABLE owners (name TEXT NOT NULL PRIMARY KEY, until REAL NOT NULL);
"""
TABLES = {"calls", "marks", "owners"}


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


def _number(db: sqlite3.Connection, query: str) -> int:
    row = db.execute(query).fetchone()
    return int(row[0] or 0)
