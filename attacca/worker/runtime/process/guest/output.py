"""What a function prints and logs, sent to the worker with the invocation it belongs to."""

import contextvars
import io
import logging
import os
import struct
import sys
import threading
import time
from collections.abc import Iterator

from attacca.worker.runtime.process.guest import channel as wire

FLUSH_BYTES, FLUSH_S = 8192, 0.1
LONGEST = 65_536  # of what waits for the end of its line
NAME = struct.Struct("<B")  # LOG: length of the stream's name, the name, the text

current: contextvars.ContextVar[int] = contextvars.ContextVar("invocation", default=0)


class Ledger:
    """How much each running invocation has written, so that endless output ends."""

    def __init__(self, write: wire.Write, limit: int) -> None:
        self.write, self.limit = write, limit
        self.written: dict[int, int] = {}

    def emit(self, number: int, stream: str, text: str) -> None:
        raw = text.encode("utf-8", "backslashreplace")
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
            while raw[end] & 0xC0 == 0x80:  # inside a character
                end -= 1
        yield raw[at:end]
        at = end
    yield raw[at:]


class Output(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr; what is written is sent in pieces, at the latest when a run ends."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, stream: str, descriptor: int) -> None:
        self._stream, self._descriptor = stream, descriptor
        self.pending: dict[int, list[str]] = {}
        self._size, self._flushed_at = 0, 0.0
        self.lock = threading.RLock()  # with `concurrency` several threads write
        self.ledger: Ledger | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        if text:
            with self.lock:
                self.pending.setdefault(current.get(), []).append(text)
                self._size += len(text)
                if self._size > LONGEST:
                    self.flush()
                elif "\n" in text and (self._size > FLUSH_BYTES or time.monotonic() - self._flushed_at > FLUSH_S):
                    self._flush_lines()
        return len(text)

    def _flush_lines(self) -> None:
        """Whole lines only: what is sent apart is kept as a line of its own."""
        if self.ledger is None:
            return
        self._flushed_at = time.monotonic()
        pending, self.pending, self._size = self.pending, {}, 0
        for number, texts in pending.items():
            lines, end, rest = "".join(texts).rpartition("\n")
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
                    self.ledger.emit(number, self._stream, "".join(texts))


class LogHandler(logging.Handler):
    """The root logger's handler: one record, one line, its level as the stream's name."""

    ledger: Ledger | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - as logging's own handlers do: a bad record must not end the program
            self.handleError(record)
            return
        if self.ledger is not None:
            flush()
            self.ledger.emit(current.get(), record.levelname.lower(), text + "\n")


STDOUT, STDERR = Output("stdout", 1), Output("stderr", 2)
HANDLER = LogHandler()
HANDLER.setFormatter(logging.Formatter("%(name)s: %(message)s"))


def capture(ledger: Ledger) -> None:
    """From here on, what this process prints and logs goes to the worker."""
    STDOUT.ledger = STDERR.ledger = HANDLER.ledger = ledger
    sys.stdout, sys.stderr = STDOUT, STDERR
    root = logging.getLogger()
    if HANDLER not in root.handlers:
        root.addHandler(HANDLER)
        root.setLevel(os.environ.get("LOG_LEVEL", "INFO").upper() if _is_level() else "INFO")


def _is_level() -> bool:
    return os.environ.get("LOG_LEVEL", "INFO").upper() in logging.getLevelNamesMapping()


def flush() -> None:
    STDOUT.flush()
    STDERR.flush()


def _renew_locks() -> None:
    STDOUT.lock, STDERR.lock = threading.RLock(), threading.RLock()


os.register_at_fork(after_in_child=_renew_locks)  # who held one in the parent is not here to let go of it
