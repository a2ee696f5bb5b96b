"""What functions write, kept in bounded files of JSON lines, one folder per function, and read back or followed."""

import asyncio
import os
import shutil
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from attacca.kernel.clock import Clock
from attacca.model.log import LogLine
from attacca.model.messages import Catalogue, Deleted, Deployed

T = TypeVar("T")
Kb = Annotated[int, msgspec.Meta(ge=1, le=1_048_576)]

FOLLOW_LINES = 2_000  # what may wait for one who follows
NEWEST = "log.ndjson"  # older ones are log.1.ndjson, log.2.ndjson, ...
ENCODER = msgspec.json.Encoder()
DECODER = msgspec.json.Decoder(LogLine)


class LogLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much is kept of each function."""

    file_kb: Kb = 2048
    files: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 5
    flush_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 0.1
    flush_kb: Kb = 64
    pending_kb: Kb = 1024  # what may wait for the disk; more than this at once is dropped, and said so
    lines_per_s: Annotated[int, msgspec.Meta(ge=1)] = 10_000  # of one function: short lines cost more than their bytes
    line_kb: Kb = 8
    ring_kb: Kb = 256  # newest lines, in memory


class _Page:
    """What is held in memory of one function."""

    def __init__(self) -> None:
        self.pending: list[LogLine] = []
        self.pending_bytes = 0
        self.dropped = 0
        self.second = 0.0  # when counting began
        self.in_second = 0  # lines since then
        self.ring: deque[LogLine] = deque()
        self.ring_bytes = 0
        self.readers: list[_Reader] = []


class _Reader:
    """One who follows a function. A slow one loses lines, and is told so."""

    def __init__(self, limit: int) -> None:
        self.lines: deque[LogLine] = deque()
        self.limit = limit
        self.lost = 0
        self.is_over = False
        self.changed = asyncio.Event()

    def tell(self, line: LogLine) -> None:
        if len(self.lines) >= self.limit:
            self.lost += 1
        else:
            self.lines.append(line)
        self.changed.set()


class Logbook:
    """Keeps lines of functions that exist: it hears of them from control, like the other planes.

    append() costs no system call; files are written by one thread, at most `flush_s` later.
    """

    def __init__(self, directory: Path, clock: Clock, limits: LogLimits | None = None) -> None:
        self._directory = directory
        self._clock = clock
        self._limits = limits or LogLimits()
        self._pages: dict[str, _Page] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="attacca-log")
        self._timer: asyncio.TimerHandle | None = None
        self._dirty: dict[str, None] = {}  # functions with pending lines, in order
        self._besides: frozenset[str] = frozenset()  # that are in no catalogue, and keep lines too

    def __repr__(self) -> str:
        return f"<Logbook of {len(self._pages)} functions, {len(self._dirty)} to be written>"

    def receive(self, message: Catalogue | Deployed | Deleted) -> None:
        """Learn which functions there are; the lines of all others go."""
        match message:
            case Catalogue(current=current):
                names = [*(revision.function for revision in current), *sorted(self._besides)]
                for name in [name for name in self._pages if name not in names]:
                    self._forget(name)
                for name in names:
                    self._pages.setdefault(name, _Page())
                self._thread.submit(_keep_only, self._directory, frozenset(names))
            case Deployed(revision=revision):
                self._pages.setdefault(revision.function, _Page())
            case Deleted(function=function):
                self._forget(function)

    def keep(self, names: frozenset[str]) -> None:
        """These keep lines besides the functions there are; those that did so until now, and are not among them, go."""
        gone, self._besides = self._besides - names, names
        for name in sorted(gone):
            self._forget(name)
        for name in sorted(names):
            self._pages.setdefault(name, _Page())

    def append(self, function: str, revision: str, sandbox: str, invocation: str, stream: str, text: str) -> None:
        """Take what was written, one or several lines of it; `revision` is a `Revision.id`."""
        page = self._pages.get(function)
        if page is None:
            return
        at, number = self._clock.wall(), int(revision.rpartition("@")[2] or 0)
        most = self._limits.line_kb * 1024
        if not text.isascii():
            text = text.encode(errors="replace").decode()  # lone surrogates have no place in JSON
        for piece in self._admit(page, at, text.removesuffix("\n")):
            kept = piece if len(piece) <= most else f"{piece[:most]} ... ({len(piece) - most} more characters)"
            self._take(function, page, LogLine(at, number, sandbox, invocation, stream, kept))
        if page.dropped:  # to be said soon, also when nothing more is written
            self._dirty[function] = None
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(self._limits.flush_s, self._flush)

    async def read(self, function: str, since_s: float | None = None) -> AsyncIterator[LogLine]:
        """What is kept, oldest first; `since_s` leaves out what is older than so many seconds."""
        page = self._pages.get(function)
        if page is not None:
            async for line in self._past(function, page, since_s):
                yield line

    async def follow(self, function: str, since_s: float | None = 0.0) -> AsyncIterator[LogLine]:
        """As read(), and then each line as it comes, until the function is deleted."""
        page = self._pages.get(function)
        if page is None:
            return
        reader = _Reader(FOLLOW_LINES)
        past = self._past(function, page, since_s)  # reads what was there at this moment, and the reader gets the rest
        page.readers.append(reader)
        try:
            async for line in past:
                yield line
            while not reader.is_over or reader.lines:
                while reader.lines:
                    yield reader.lines.popleft()
                if reader.lost:
                    lost, reader.lost = reader.lost, 0
                    yield self._remark(f"{lost} lines were left out here: they came faster than they were read")
                reader.changed.clear()
                if not reader.is_over:
                    await reader.changed.wait()
        finally:
            page.readers.remove(reader)

    async def flush(self) -> None:
        """Returns when all that was appended is in the files."""
        self._flush()
        await self._in_thread(lambda: None)

    async def close(self) -> None:
        await self.flush()
        self._flush()  # what came meanwhile
        for page in self._pages.values():
            _dismiss(page)
        self._pages.clear()
        self._thread.shutdown(wait=False)

    def _admit(self, page: _Page, at: float, text: str) -> list[str]:
        """The lines of it that this second still has room for."""
        if not 0 <= at - page.second < 1:
            page.second, page.in_second = at, 0
        room = self._limits.lines_per_s - page.in_second
        lines = text.split("\n", room)
        if len(lines) > room:
            page.dropped += lines.pop().count("\n") + 1
        page.in_second += len(lines)
        return lines

    def _take(self, function: str, page: _Page, line: LogLine) -> None:
        limits, size = self._limits, len(line.text) + 100  # about what the line costs, names and quotes included
        if page.pending_bytes + size > limits.pending_kb * 1024:
            page.dropped += 1
            return
        page.pending.append(line)
        page.pending_bytes += size
        page.ring.append(line)
        page.ring_bytes += size
        while page.ring_bytes > limits.ring_kb * 1024:
            page.ring_bytes -= len(page.ring.popleft().text) + 100
        for reader in page.readers:
            reader.tell(line)
        self._dirty[function] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(limits.flush_s, self._flush)
        if page.pending_bytes - size < limits.flush_kb * 1024 <= page.pending_bytes:
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(0, self._flush)

    def _flush(self) -> None:
        """Hand over to the thread; it takes orders in turn, so that a read after this sees what was written."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for function in self._dirty:
            page = self._pages[function]
            lines, page.pending, dropped = page.pending, [], page.dropped
            page.pending_bytes = page.dropped = 0
            if dropped:
                remark = self._remark(f"{dropped} lines were dropped here: they came faster than they can be kept")
                lines.append(remark)
                page.ring.append(remark)
                page.ring_bytes += len(remark.text) + 100
                for reader in page.readers:
                    reader.tell(remark)
            self._thread.submit(_write, self._directory / function, lines, self._limits)
        self._dirty.clear()

    def _past(self, function: str, page: _Page, since_s: float | None) -> AsyncIterator[LogLine]:
        """Fixes what is read when it is called, not when it is iterated."""
        since = None if since_s is None else self._clock.wall() - since_s
        if since is not None and (since_s == 0 or (page.ring and page.ring[0].at < since)):
            return _each([line for line in page.ring if line.at > since])
        self._flush()
        files = self._in_thread(lambda: _read(self._directory / function, self._limits.files))
        return _decoded(files, since)

    def _in_thread(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        return asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _forget(self, function: str) -> None:
        page = self._pages.pop(function, None)
        self._dirty.pop(function, None)
        if page is not None:
            _dismiss(page)
        self._thread.submit(shutil.rmtree, self._directory / function, True)  # noqa: FBT003 - ignore_errors

    def _remark(self, text: str) -> LogLine:
        return LogLine(self._clock.wall(), 0, "", "", "attacca", text)


def _dismiss(page: _Page) -> None:
    for reader in page.readers:
        reader.is_over = True
        reader.changed.set()


async def _each(lines: Iterable[LogLine]) -> AsyncIterator[LogLine]:
    for line in lines:
        yield line


async def _decoded(files: "asyncio.Future[list[bytes]]", since: float | None) -> AsyncIterator[LogLine]:
    for content in await files:
        for number, raw in enumerate(content.splitlines()):
            if number % 1000 == 999:
                await asyncio.sleep(0)  # long logs must not hold up the loop
            try:
                line = DECODER.decode(raw)
            except (msgspec.DecodeError, RecursionError):
                continue  # half a line, from a machine that went down
            if since is None or line.at > since:
                yield line


# What follows runs in the logbook's thread.


def _write(directory: Path, lines: list[LogLine], limits: LogLimits) -> None:
    """A full disk loses lines, never the server."""
    most = limits.file_kb * 1024
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        newest = directory / NEWEST
        size = _mend(newest)
        batch: list[bytes] = []
        for line in lines:
            raw = ENCODER.encode(line)
            if size > most:
                _extend(newest, batch)
                _rotate(directory, limits.files)
                batch, size = [], 0
            batch.append(raw)
            size += len(raw) + 1
        _extend(newest, batch)
    except OSError:
        return


def _extend(path: Path, batch: list[bytes]) -> None:
    if batch:
        with path.open("ab") as file:
            file.write(b"\n".join([*batch, b""]))


def _mend(path: Path) -> int:
    """The size of the file, its last line ended: a machine that went down may have left half of one."""
    if not path.exists():
        return 0
    with path.open("ab+") as file:
        size = file.tell()
        if size:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        return size


def _rotate(directory: Path, files: int) -> None:
    """log -> log.1 -> log.2 ...; the oldest goes."""
    names = [directory / NEWEST, *(directory / f"log.{number}.ndjson" for number in range(1, files))]
    names[-1].unlink(missing_ok=True)
    for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
        if newer.exists():
            newer.replace(older)


def _read(directory: Path, files: int) -> list[bytes]:
    """The contents of the files, oldest first."""
    names = [*(f"log.{number}.ndjson" for number in reversed(range(1, files))), NEWEST]
    return [path.read_bytes() for path in (directory / name for name in names) if path.exists()]


def _keep_only(directory: Path, functions: frozenset[str]) -> None:
    if directory.exists():
        for entry in os.scandir(directory):
            if entry.name not in functions:
                shutil.rmtree(entry.path, ignore_errors=True)
