"""What the state database consists of, and what is wrong with one that does not."""

import sqlite3

APPLICATION_ID = 0x61747463  # "attc": tells our files from those of other programs
SCHEMA_VERSION = 1
COUNT_MOST = 2**53  # far from where SQLite would go on in floating point

SCHEMA = """
CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE leases (key TEXT PRIMARY KEY, holder TEXT NOT NULL, fence INTEGER NOT NULL, expires_at REAL NOT NULL)
    WITHOUT ROWID;
CREATE TABLE counter (count INTEGER NOT NULL);
INSERT INTO counter VALUES (0);
"""
COLUMNS = {  # of each table, with their types
    "entries": {"key": "TEXT", "value": "BLOB", "version": "INTEGER"},
    "leases": {"key": "TEXT", "holder": "TEXT", "fence": "INTEGER", "expires_at": "REAL"},
    "counter": {"count": "INTEGER"},
}
KEYS = {"entries": ["key"], "leases": ["key"], "counter": []}


def is_empty(db: sqlite3.Connection) -> bool:
    """Nobody has made anything in it yet, so it may become ours."""
    return not _number(db, "PRAGMA application_id") and not _number(db, "PRAGMA user_version") and not _objects(db)


def complaint(db: sqlite3.Connection) -> str:
    """Why this is not a state database of this version that can be worked with; empty: it is one.

    Leaves a transaction open: what is compared must be of one moment, whatever others write meanwhile.
    """
    db.execute("BEGIN")
    if _number(db, "PRAGMA application_id") != APPLICATION_ID:
        return "it is a database of another program"
    version = _number(db, "PRAGMA user_version")
    if version > SCHEMA_VERSION:
        return f"it was written by a newer attacca (schema {version}, this one knows {SCHEMA_VERSION})"
    if version < SCHEMA_VERSION:
        return f"it says that it is attacca's, but has the schema version {version}, which no attacca has written"
    damage = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    return damage if damage != "ok" else _misshapen(db) or _misfilled(db)


def _misshapen(db: sqlite3.Connection) -> str:
    objects = _objects(db)
    for table, columns in COLUMNS.items():
        if objects.pop(table, None) != "table":
            return f"its table {table!r} is missing"
        described = db.execute(f"PRAGMA table_info({table})").fetchall()
        found = {name: kind for _, name, kind, *_ in described}
        for column, kind in columns.items():
            if found.pop(column, None) != kind:
                return f"its table {table!r} has no column {column!r} of type {kind}"
        if found:
            return f"its table {table!r} has a column {next(iter(found))!r}, which is not attacca's"
        if [name for _, name, *_, place in described if place] != KEYS[table]:
            return f"the key of its table {table!r} is another"
    if objects:
        name, kind = next(iter(objects.items()))
        return f"it has a {kind} {name!r}, which is not attacca's"
    return ""


def _misfilled(db: sqlite3.Connection) -> str:
    """SQLite itself lets anything stand in any column."""
    for table, columns in COLUMNS.items():
        wrong = " OR ".join(f"typeof({column}) <> '{kind.lower()}'" for column, kind in columns.items())
        if db.execute(f"SELECT 1 FROM {table} WHERE {wrong} LIMIT 1").fetchone():  # noqa: S608 - our own names
            return f"its table {table!r} has a value of another type"
    counts = [row[0] for row in db.execute("SELECT count FROM counter LIMIT 2")]
    highest = max(_number(db, "SELECT max(version) FROM entries"), _number(db, "SELECT max(fence) FROM leases"))
    if len(counts) != 1 or not highest <= counts[0] < COUNT_MOST:
        return "its count of changes is missing, or less than what it has counted"
    return ""


def _objects(db: sqlite3.Connection) -> dict[str, str]:
    """Tables, views, triggers and indexes, and the kind of each; not those that SQLite makes for itself."""
    rows = db.execute("SELECT name, type FROM sqlite_schema WHERE name NOT LIKE 'sqlite@_%' ESCAPE '@'").fetchall()
    return {str(name): str(kind) for name, kind in rows}


def _number(db: sqlite3.Connection, query: str) -> int:
    return int(db.execute(query).fetchone()[0] or 0)
