import contextlib
import io
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from attacca.guest import output
from attacca.guest.output import NAME_BYTES, Ledger, LogHandler, Output, Pen, stream_of
from tests.cases import each


@contextlib.contextmanager
def invocation(number: int) -> Iterator[None]:
    token = output.current.set(number)
    try:
        yield
    finally:
        output.current.reset(token)


class Desk:
    """A stream, and what was sent of it."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.pen = Pen("stdout", 1)
        self.pen.ledger = Ledger(lambda _kind, number, *parts: self.sent.append((number, parts[-1])), 1 << 30)
        self.out = Output(self.pen, "<stdout>")

    def text(self) -> bytes:
        self.pen.flush()
        return b"".join(piece for _, piece in self.sent)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.long
def test_lines_are_sent_whole_however_many_there_are(desk: Desk) -> None:
    with invocation(1):
        for number in range(5000):
            print(number, "hello", file=desk.out)
    desk.pen.flush()
    assert len(desk.sent) > 2
    assert all(piece.endswith(b"\n") for _, piece in desk.sent)
    assert desk.text().splitlines() == [b"%d hello" % number for number in range(5000)]


def test_a_line_without_an_end_is_sent_before_it_grows_too_long(desk: Desk) -> None:
    for _ in range(100):
        desk.out.write("x" * 1000)
    assert sum(len(piece) for _, piece in desk.sent) > 60_000


def test_ten_thousand_lines_in_one_print_arrive(desk: Desk) -> None:
    lines = "\n".join(f"{number} é" for number in range(10_000))
    with invocation(1):
        print(lines, file=desk.out)
    assert desk.text().decode() == lines + "\n"


def test_what_is_no_text_is_cut_somewhere_all_the_same() -> None:
    assert b"".join(output.pieces(b"\x80" * 200_000)) == b"\x80" * 200_000


def test_texts_and_bytes_stay_in_order_and_with_their_invocations(desk: Desk) -> None:
    with invocation(1):
        desk.out.write("a")
        desk.out.buffer.write(b"b")
    with invocation(2):
        desk.out.buffer.write(bytearray(b"c"))  # type: ignore[arg-type]
        another = io.TextIOWrapper(desk.out.buffer, "utf-8", write_through=True)
        another.write("ž")
        desk.out.writelines(["d", "e"])
    desk.pen.flush()
    assert sorted(desk.sent) == [(1, b"ab"), (2, "cžde".encode())]


def test_a_thread_of_the_functions_own_need_not_wait_for_the_end_of_a_run(desk: Desk) -> None:
    print("one", file=desk.out)
    print("two", file=desk.out)
    assert b"".join(piece for _, piece in desk.sent) == b"one\ntwo\n"


def test_it_is_what_an_interpreter_has(desk: Desk) -> None:
    out = desk.out
    assert isinstance(out, io.TextIOWrapper)
    assert isinstance(out.buffer, io.BufferedWriter)
    assert isinstance(out.buffer.raw, io.FileIO)
    assert (out.name, out.mode, out.encoding, out.errors) == ("<stdout>", "w", "utf-8", "backslashreplace")
    assert (out.fileno(), out.line_buffering, out.write_through, out.newlines) == (1, False, False, None)
    assert (out.writable(), out.readable(), out.closed) == (True, False, False)
    out.reconfigure(line_buffering=True, encoding="utf-8", errors="strict")
    assert (out.line_buffering, out.errors) == (True, "strict")
    assert out.write("é") == 1
    assert desk.text() == "é".encode()


@pytest.mark.parametrize(
    ("what", "value", "says"),
    [
        ("out", b"", "write() argument must be str, not bytes"),
        ("out", None, "write() argument must be str, not NoneType"),
        ("buffer", "", "a bytes-like object is required, not 'str'"),
        ("raw", "x", "a bytes-like object is required, not 'str'"),
    ],
)
def test_what_cannot_be_written_is_a_type_error_as_of_any_file(desk: Desk, what: str, value: object, says: str) -> None:
    buffer: Any = desk.out.buffer
    files = {"out": desk.out, "buffer": buffer, "raw": buffer.raw}
    with pytest.raises(TypeError) as raised:
        files[what].write(value)
    assert says in str(raised.value)


def test_what_is_closed_or_detached_says_so_and_keeps_what_was_written(desk: Desk) -> None:
    desk.out.write("kept")
    buffer = desk.out.detach()
    with pytest.raises(ValueError, match="detached"):
        desk.out.write("x")
    buffer.write(b" too")
    again = io.TextIOWrapper(buffer, "utf-8")
    again.close()
    for write in (lambda: again.write("x"), lambda: buffer.write(b"x"), again.flush):
        with pytest.raises(ValueError, match=r"closed|detached"):
            write()
    assert desk.text() == b"kept too"


@each(
    "level, stream",
    [
        ("WARNING", "warning"),
        ("VERY\tLOUD ", "very-loud"),
        ("x" * 300, "x" * NAME_BYTES),
        ("é" * 40 + "x" * 300, "é" * 32),
        ("a" + "é" * 40, "a" + "é" * 31),
        ("\ud800", "?"),
        ("", "log"),
        (7, "7"),
    ],
)
def test_a_level_of_any_name_has_a_short_name_as_a_stream(level: object, stream: str) -> None:
    assert stream_of(level) == stream


def test_a_record_is_logged_under_its_level_whatever_that_is_called() -> None:
    sent: list[tuple[bytes, ...]] = []
    handler = LogHandler()
    handler.ledger = Ledger(lambda _kind, _number, *parts: sent.append(parts), 1 << 30)
    record = logging.LogRecord("shop", 25, "main.py", 1, "sold %d", (3,), None)
    record.levelname = "Ň" * 255
    handler.emit(record)
    assert sent == [(bytes([NAME_BYTES]), ("ň" * 32).encode(), b"sold 3\n")]


def test_endless_output_ends_and_a_thread_may_write_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    sent: list[bytes] = []
    ledger = Ledger(lambda _kind, _number, *parts: sent.append(parts[-1]), 2048)
    for number in (5, output.NOBODY):
        for _ in range(4):
            ledger.emit(number, "stdout", b"x" * 1024)
    assert [b"is dropped" in piece for piece in sent] == [False, True] * 2
    now += output.NOBODY_S + 1
    for number in (5, output.NOBODY):
        ledger.emit(number, "stdout", b"again")
    assert sent[4:] == [b"again"]
