"""What a function prints and logs, sent to the worker with the invocation it belongs to."""

import contextlib
import contextvars
import io
import logging
import os
import struct
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from attacca.guest import channel as wire

FLUSH_BYTES, FLUSH_S = 8192, 0.1
LONGEST = 65_536  # of what waits for the end of its line
NAME = struct.Struct("<B")  # LOG: length of the stream's name, the name, the text
NAME_BYTES = 64  # of a stream's name
NOBODY = 0  # the number of what no invocation wrote: the import, or a thread of the function's own
NOBODY_S = 10.0  # after which what nobody wrote is counted anew

current: contextvars.ContextVar[int] = contextvars.ContextVar("invocation", default=NOBODY)


class Ledger:
    """How much each running invocation has written, so that endless output ends."""

    def __init__(self, write: wire.Write, limit: int) -> None:
        self.write, self.limit = write, limit
        self.written: dict[int, int] = {}
        self._since = 0.0  # when counting what nobody wrote began

    def __repr__(self) -> str:
        return f"<Ledger {len(self.written)} have written, {sum(self.written.values())} bytes, {self.limit} each>"

    def emit(self, number: int, stream: str, text: str | bytes) -> None:
        raw = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
        if number == NOBODY and time.monotonic() - self._since > NOBODY_S:
            self._since = time.monotonic()
            self.written.pop(NOBODY, None)
        before = self.written.get(number, 0)
        if before >= self.limit:
            return
        self.written[number] = before + len(raw)
        if before + len(raw) >= self.limit:
            raw = raw[: self.limit - before] + b"\n[output of this invocation over %d KB is dropped]\n" % (
                self.limit >> 10
            )
        name = stream.encode()
        for piece in pieces(raw):
            self.write(wire.LOG, number, NAME.pack(len(name)), name, piece)


def pieces(raw: bytes) -> Iterator[bytes]:
    """Cut where a line ends, if one does, so that none is longer than the worker takes at once."""
    at = 0
    while len(raw) - at > LONGEST:
        end = raw.rfind(b"\n", at, at + LONGEST) + 1
        if end <= at:
            end = at + LONGEST
            end -= next((back for back in range(4) if raw[end - back] & 0xC0 != 0x80), 0)  # not inside a character
        yield raw[at:end]
        at = end
    yield raw[at:]


def print_past(_kind: int, _number: int, *parts: bytes) -> None:
    """What a child of the function prints, which has no channel."""
    with contextlib.suppress(OSError):  # the handler may have closed it
        os.write(1, parts[-1])


def unheard(_kind: int, _number: int, *_: bytes) -> None:
    """Where what is printed goes while there is nobody to tell it to."""


def end(_kind: int, _number: int, *_: bytes) -> None:
    """Where such a child would answer."""
    os._exit(0)


class Pen:
    """What is written to one of the two streams is sent in pieces, at the latest when a run ends."""

    def __init__(self, stream: str, descriptor: int) -> None:
        self._stream, self.descriptor = stream, descriptor
        self.pending: dict[int, list[bytes]] = {}
        self._size, self._flushed_at = 0, 0.0
        self.lock = threading.RLock()  # with `concurrency` several threads write
        self.ledger: Ledger | None = None
        self.file: Output | None = None  # what the function sees of it

    def __repr__(self) -> str:
        return f"<Pen {self._stream}, {self._size} bytes of {len(self.pending)} wait>"

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if text:
            self.take(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def take(self, raw: bytes) -> None:
        number = current.get()
        with self.lock:
            self.pending.setdefault(number, []).append(raw)
            self._size += len(raw)
            if self._size > LONGEST:
                self.flush()
            elif b"\n" in raw and (
                number == NOBODY  # whom no end of a run will flush
                or self._size > FLUSH_BYTES
                or time.monotonic() - self._flushed_at > FLUSH_S
            ):
                self._flush_lines()

    def _flush_lines(self) -> None:
        """Whole lines only: what is sent apart is kept as a line of its own."""
        if self.ledger is None:
            return
        self._flushed_at = time.monotonic()
        pending, self.pending, self._size = self.pending, {}, 0
        for number, texts in pending.items():
            lines, end, rest = b"".join(texts).rpartition(b"\n")
            if end:
                self.ledger.emit(number, self._stream, lines + end)
            if rest:
                self.pending.setdefault(number, []).insert(0, rest)
                self._size += len(rest)

    def flush(self) -> None:
        if self.pending and self.ledger is not None:
            with self.lock:
                pending, self.pending, self._size = self.pending, {}, 0
                for number, texts in pending.items():
                    self.ledger.emit(number, self._stream, b"".join(texts))


class Raw(io.FileIO):
    """The lowest layer of what a function has as sys.stdout: the descriptor, but for what is written."""

    def __init__(self, pen: Pen, name: str) -> None:
        super().__init__(pen.descriptor, "w", closefd=False)
        self.name = name
        self._pen = pen

    def write(self, data: Any, /) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        raw = bytes(memoryview(data))
        if raw:
            self._pen.take(raw)
        return len(raw)

    def flush(self) -> None:
        super().flush()
        self._pen.flush()


class Buffer(io.BufferedWriter):
    """Holds nothing back: whose it is can only be told when it is written."""

    def write(self, data: Any, /) -> int:
        return self.raw.write(data) or 0

    def flush(self) -> None:
        super().flush()
        self.raw.flush()


class Output(io.TextIOWrapper):
    """What a function has as sys.stdout or sys.stderr: all that an interpreter's own has, while its texts take a
    shorter way."""

    mode: str

    def __init__(self, pen: Pen, name: str) -> None:
        raw = Raw(pen, name)
        super().__init__(Buffer(raw), "utf-8", "backslashreplace", "\n", line_buffering=name == "<stderr>")
        self.mode = "w"
        self.write = pen.write  # type: ignore[method-assign]

    def close(self) -> None:
        self.__dict__.pop("write", None)
        super().close()

    def detach(self) -> Any:
        self.__dict__.pop("write", None)
        return super().detach()


class LogHandler(logging.Handler):
    """The root logger's handler: one record, one line, its level as the stream's name."""

    ledger: Ledger | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text, level = self.format(record), stream_of(record.levelname)
        except Exception:  # noqa: BLE001 - as logging's own handlers do: a bad record must not end the program
            self.handleError(record)
            return
        if self.ledger is not None:
            flush()
            self.ledger.emit(current.get(), level, text + "\n")


def variable(name: str) -> str:
    """Of the environment; empty when it is not there, without the error that `os.environ` makes of it first."""
    raw: bytes = os.environ._data.get(name.encode(), b"")  # type: ignore[attr-defined]  # what it holds, encoded
    return os.fsdecode(raw)


def stream_of(level: object) -> str:
    """A level may have any name, a stream a short one of one word."""
    raw = "-".join(str(level).lower().split()).encode("utf-8", "replace")
    return raw[:NAME_BYTES].decode("utf-8", "ignore") or "log"


STDOUT, STDERR = Pen("stdout", 1), Pen("stderr", 2)
# Kept: who is forked takes longer to end them than to put others in their place.
_BEFORE = sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
HANDLER = LogHandler()
HANDLER.setFormatter(logging.Formatter("%(name)s: %(message)s"))


def prepare() -> None:
    """Once, before anybody is forked who will print: making text files takes longer than putting them in place."""
    reader, pipe = os.pipe()
    kept = [os.dup(pen.descriptor) for pen in (STDOUT, STDERR)]
    for pen in (STDOUT, STDERR):
        os.dup2(pipe, pen.descriptor)  # what the children will have there: a file asks whether it can be searched
    _make()
    for old, pen in zip(kept, (STDOUT, STDERR), strict=True):
        os.dup2(old, pen.descriptor)
    for descriptor in (reader, pipe, *kept):
        os.close(descriptor)


def _make() -> None:
    STDOUT.file, STDERR.file = Output(STDOUT, "<stdout>"), Output(STDERR, "<stderr>")
    logging.getLogger().addHandler(HANDLER)
    logging.getLogger().setLevel("INFO")


def capture(ledger: Ledger) -> None:
    """From here on, what this process prints and logs goes to the worker."""
    is_first = STDOUT.ledger is None
    STDOUT.ledger = STDERR.ledger = HANDLER.ledger = ledger
    if is_first:  # once: the function may put others in their place
        if STDOUT.file is None:
            _make()
        sys.stdout = sys.__stdout__ = STDOUT.file  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = STDERR.file  # type: ignore[misc]
        level = variable("LOG_LEVEL").upper()
        if level and level in logging.getLevelNamesMapping():
            logging.getLogger().setLevel(level)


def flush() -> None:
    STDOUT.flush()
    STDERR.flush()


def _renew_locks() -> None:
    STDOUT.lock, STDERR.lock = threading.RLock(), threading.RLock()


# What waits is sent once, and who held a lock in the parent is not in the child to let go of it.
os.register_at_fork(before=flush, after_in_child=_renew_locks)
