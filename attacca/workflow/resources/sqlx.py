"""`sqlx`: events are statements for a database: a file of SQLite's on the node, or PostgreSQL."""

import asyncio
import contextlib
import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote

from attacca.errors import BadConfig, BadRequest, NotFound, Unreachable
from attacca.model.events import EVENT_BYTES
from attacca.workflow.resources.network import addresses, library, parsed, persist
from attacca.workflow.resources.types import Host, below, field

TABLE = "CREATE TABLE IF NOT EXISTS WorkflowState (id VARCHAR(255) PRIMARY KEY, metadata JSONB NOT NULL)"
LITE, POSTGRES = "sqlite://", ("postgresql", "postgres")
STATEMENT_S, ANSWER_S = 10.0, 5.0
STEPS = 10_000  # of SQLite's machine, between two looks at the clock
WORKFLOW = "$1"
QUOTED = re.compile(
    r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|(\$[A-Za-z_]*\$).*?\1", re.DOTALL
)  # where nothing stands for it


class Database(Protocol):
    async def open(self) -> None: ...
    async def run(self, statement: str, workflow: str) -> tuple[dict[str, Any] | None, str]:
        """The first row of what there are rows of, or what it has changed.

        Raises:
            BadRequest: it is refused.
            NotFound: there is no row.
        """

    async def close(self) -> None: ...


class Sqlx:
    """`url`: `sqlite://FILE`, below the node's directory for such files, or `postgresql://USER:PASSWORD@HOST:PORT/NAME`.
    `$1` stands for the workflow's id, and the table `WorkflowState` (id, metadata) is there from the beginning."""

    def __init__(self, configuration: Mapping[str, str], host: Host) -> None:
        url = field(configuration, "url", "sqlx")
        self._database: Database
        if url.startswith(LITE):
            self._database = Lite(below(host.directory, url.removeprefix(LITE)), host)
        else:
            self._database = Postgres(parsed(url, POSTGRES, "sqlx"), host)
        self._workflow = ""
        self._count = 0

    def __repr__(self) -> str:
        return f"<Sqlx {self._count} statements>"

    async def open(self, self_id: str, workflow: str) -> None:
        self._workflow = workflow
        await self._database.open()

    async def cast(self, source: str, data: bytes) -> None:
        await self.call(source, data)

    async def call(self, source: str, data: bytes) -> bytes | None:
        try:
            statement = data.decode()
        except UnicodeDecodeError:
            raise BadRequest("the event is no statement", "send SQL, in UTF-8") from None
        self._count += 1
        row, changed = await self._database.run(statement, self._workflow)
        return changed.encode() if row is None else json.dumps(row, separators=(",", ":"), default=str).encode()

    async def close(self) -> None:
        await self._database.close()


class Lite:
    """One file, and no other: nothing is attached. In a thread, one statement at a time, each within its time."""

    def __init__(self, path: Path, host: Host) -> None:
        self._path, self._now = path, host.now
        self._until = 0.0
        self._connection: sqlite3.Connection | None = None

    def __repr__(self) -> str:
        return f"<Lite {'closed' if self._connection is None else 'open'}>"

    async def open(self) -> None:
        await asyncio.to_thread(self._open)

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            made = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=ANSWER_S)
        except (OSError, sqlite3.Error) as error:
            raise Unreachable(f"{self._path} cannot be opened: {error}", "see whether it is a database") from None
        self._connection = made
        made.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        made.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, EVENT_BYTES)
        made.set_authorizer(_permit)
        made.set_progress_handler(lambda: self._now() > self._until, STEPS)
        self._run(TABLE, "")

    async def run(self, statement: str, workflow: str) -> tuple[dict[str, Any] | None, str]:
        return await asyncio.to_thread(self._run, statement, workflow)

    def _run(self, statement: str, workflow: str) -> tuple[dict[str, Any] | None, str]:
        assert self._connection is not None, "it is open"
        self._until = self._now() + STATEMENT_S
        try:
            cursor = self._connection.execute(statement, {"1": workflow} if WORKFLOW in statement else {})
            if cursor.description is None:
                return None, f"rows_affected: {max(cursor.rowcount, 0)}, last_insert_rowid: {cursor.lastrowid or 0}."
            row = cursor.fetchone()
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise BadRequest(f"SQLite refuses: {error}", "one statement at a time; nothing can be attached") from None
        return _told([column[0] for column in cursor.description], row), ""

    async def close(self) -> None:
        self._until = 0.0
        if self._connection is not None:
            await asyncio.to_thread(self._connection.close)


def asks_for_workflow(statement: str) -> bool:
    """Not where `$1` is part of a text, a name or a comment: PostgreSQL refuses a value that nothing stands for."""
    return WORKFLOW in QUOTED.sub(" ", statement)


def _permit(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_DENY if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_PRAGMA) else sqlite3.SQLITE_OK


def _told(names: Sequence[str], row: Sequence[Any] | None) -> dict[str, Any]:
    """Bytes as texts; a `metadata` that is JSON, as what it says."""
    if row is None:
        raise NotFound("there is no such row", "see what the statement asks for")
    told = {name: _text(value) for name, value in zip(names, row, strict=True)}
    if isinstance(told.get("metadata"), str):
        with contextlib.suppress(ValueError):  # or it is a text
            told["metadata"] = json.loads(told["metadata"])
    return told


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


class Postgres:
    """A connection that is made when it is needed, and again when it was lost."""

    def __init__(self, url: SplitResult, host: Host) -> None:
        if not url.path.strip("/"):
            raise BadConfig("the url of a sqlx names no database", "write postgresql://USER:PASSWORD@HOST:PORT/NAME")
        self._url, self._host = url, host
        self._connection: Any = None

    def __repr__(self) -> str:
        return f"<Postgres {'closed' if self._connection is None else 'open'}>"

    async def open(self) -> None:
        library("psycopg", "sqlx with PostgreSQL", "postgres")
        await self._once(TABLE, "")

    async def run(self, statement: str, workflow: str) -> tuple[dict[str, Any] | None, str]:
        await persist(self._connected, self._host)
        return await self._once(statement, workflow)

    async def _connected(self) -> Any:
        import psycopg

        if self._connection is not None and not self._connection.closed:
            return self._connection
        url = self._url
        name, port = url.hostname or "", url.port or 5432
        found = await addresses(name, port, self._host.reach)
        try:
            self._connection = await psycopg.AsyncConnection.connect(
                host=name, hostaddr=found[0], port=port, dbname=unquote(url.path.strip("/")),
                user=unquote(url.username or "postgres"), password=unquote(url.password or "") or None,
                passfile="/dev/null/none", connect_timeout=int(ANSWER_S), autocommit=True,
                cursor_factory=psycopg.AsyncRawCursor, options=f"-c statement_timeout={int(STATEMENT_S * 1000)}",
            )  # fmt: skip
        except (psycopg.Error, OSError) as error:
            raise Unreachable(f"PostgreSQL at {name}:{port} is not reached: {error}", "see whether it is up") from None
        return self._connection

    async def _once(self, statement: str, workflow: str) -> tuple[dict[str, Any] | None, str]:
        """A statement is not sent twice: who does not hear of it does not know what it did."""
        import psycopg

        connection = await self._connected()
        try:
            cursor = await connection.execute(statement.encode(), [workflow] if asks_for_workflow(statement) else None)
            if cursor.description is None:
                return None, f"rows_affected: {max(cursor.rowcount, 0)}."
            row = await cursor.fetchone()
        except psycopg.OperationalError as error:
            if connection.closed:
                raise Unreachable(f"PostgreSQL is gone: {error}", "the statement may have been carried out") from None
            raise BadRequest(f"PostgreSQL refuses: {error}", "see what the statement says") from None
        except psycopg.Error as error:
            raise BadRequest(f"PostgreSQL refuses: {error}", "see what the statement says") from None
        return _told([column.name for column in cursor.description], row), ""

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
