"""What is written for one answer, and what its end means for the connection."""

import asyncio
from typing import Any

import pytest

from attacca.errors import BadResponse
from attacca.gateway.http import request
from attacca.gateway.http.request import Fields
from attacca.gateway.http.response import Whole
from attacca.gateway.http.writer import Ending, Writer
from tests.cases import each
from tests.gateway.http.stage import Stage


class Socket:
    def __init__(self) -> None:
        self.options: list[int] = []

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        self.options.append(option)


class Sheet(asyncio.Transport):
    """A transport that is only written to."""

    def __init__(self) -> None:
        super().__init__()
        self.text = b""
        self.is_aborted = False
        self.socket = Socket()

    def write(self, data: Any) -> None:
        self.text += bytes(data)

    def abort(self) -> None:
        self.is_aborted = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.socket


def writer(version: str = "1.1", method: bytes = b"GET", *, keep: bool = True) -> tuple[Writer, Sheet]:
    sheet = Sheet()
    one = Writer(sheet, SERVER)
    one.begin(request.head(method, b"/", [], {}, version, keep))
    return one, sheet


SERVER = Stage().server
ENDINGS: list[tuple[str, Fields, bytes, bool, Ending, bool]] = [
    ("1.1", [], b"one", True, Ending.WHOLE, True),
    ("1.1", [], b"one", False, Ending.BROKEN, True),
    ("1.1", [(b"content-length", b"3")], b"one", True, Ending.WHOLE, True),
    ("1.1", [(b"content-length", b"3")], b"one", False, Ending.WHOLE, True),
    ("1.1", [(b"content-length", b"4")], b"one", True, Ending.BROKEN, True),
    ("1.1", [(b"content-length", b"2")], b"one", True, Ending.WHOLE, False),
    ("1.0", [], b"one", True, Ending.WHOLE, False),
    ("1.0", [], b"one", False, Ending.RESET, False),
]


@each("version, fields, data, is_whole, ending, keep", ENDINGS)
def test_how_an_answer_in_pieces_ends(
    version: str, fields: Fields, data: bytes, *, is_whole: bool, ending: Ending, keep: bool
) -> None:
    one, _ = writer(version)
    one.start(200, fields)
    one.piece(data)
    assert (one.end(is_whole=is_whole), one.keep) == (ending, keep)


def test_the_head_of_an_answer_in_pieces() -> None:
    one, sheet = writer()
    one.start(200, [(b"date", b"today")])
    assert sheet.text == b"HTTP/1.1 200 OK\r\ndate: today\r\ntransfer-encoding: chunked\r\n\r\n"
    assert repr(one) == "<Writer 0 bytes unread in a room of 0, -1 to come, keep True>"
    for status in (99, 101, 600):
        with pytest.raises(BadResponse):
            one.start(status, [])


def test_the_last_word_closes_whatever_was_asked() -> None:
    one, sheet = writer("1.0", b"HEAD")
    one.refusal(Whole(400, [], b"no"))
    assert sheet.text.endswith(b"connection: close\r\n\r\nno")
    assert not one.keep


def test_a_reset_drops_what_is_unsent() -> None:
    one, sheet = writer()
    one.reset()
    assert (sheet.is_aborted, len(sheet.socket.options)) == (True, 1)
