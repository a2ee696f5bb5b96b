"""What runs inside a component of Python: a handler is found and called as elsewhere; what it raises is told."""

from pathlib import Path

import pytest

from attacca.guest.component import PIECE, Component, Failure, is_usual
from attacca.guest.load import Unfit
from tests.cases import each
from tests.guest.written import imports_from, write

Told = tuple[bytes, list[tuple[int, list[tuple[str, str]]]]]
CODE = """
def handler(event, context):
    if "wrong" in event:
        raise ValueError("no")
    if "status" in event:
        return {"statusCode": 404, "headers": {"x-a": "1"}, "body": "none"}
    return {"event": event, "id": context.aws_request_id, "of": context.function_name}
"""


class Heard:
    """What is said of an answer."""

    def __init__(self) -> None:
        self.heads: list[tuple[int, list[tuple[str, str]]]] = []
        self.pieces: list[bytes] = []

    def __repr__(self) -> str:
        return f"<Heard {len(self.heads)} heads, {len(self.pieces)} pieces>"

    def head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.heads.append((status, headers))

    def write(self, piece: bytes) -> None:
        self.pieces.append(piece)


def component(place: Path, code: str, heard: Heard, event: str = "") -> Component:
    here = write(place / "function", {"main.py": code})
    with imports_from(here, None):
        return Component("", event, str(here), 3.0, heard)


def answer(place: Path, code: str, body: bytes, event: str = "") -> Told:
    heard = Heard()
    made = component(place, code, heard, event)
    return made.handle(body), heard.heads


def test_a_large_answer_goes_in_pieces(tmp_path: Path) -> None:
    heard = Heard()
    made = component(tmp_path, "def handle(req): return b'x' * int(req)", heard)
    sizes = (0, 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 3)
    told = []
    for size in sizes:
        heard.pieces.clear()
        last = made.handle(str(size).encode())
        told.append(([len(piece) for piece in heard.pieces], len(last)))
    assert told == [([], 0), ([], 1), ([], PIECE), ([PIECE], 1), ([PIECE], PIECE), ([PIECE, PIECE], 3)]


@each(
    "code, body, told",
    [
        (CODE, b'{"a": 1}', (b'{"event": {"a": 1}, "id": "i7", "of": "shop"}', [])),
        (CODE, b'{"status": 1}', (b"none", [(404, [("content-type", "text/plain; charset=utf-8"), ("x-a", "1")])])),
        ("def main(name='you'): return 'hi ' + name", b'{"name": "bob"}', (b"hi bob", [])),
        ("def handle(req): return req.upper()", b"word", (b"WORD", [])),
        ("def handler(event): return 42", b"", (b"42", [(200, [("content-type", "application/json")])])),
        ("async def handler(event): return event", b'{"a": 1}', (b'{"a": 1}', [])),
    ],
)
def test_a_handler_is_called_as_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, body: bytes, told: Told
) -> None:
    monkeypatch.setenv("ATTACCA_FUNCTION", "shop")
    monkeypatch.setenv("ATTACCA_INVOCATION", "i7")
    assert answer(tmp_path, code, body) == told


def test_an_event_may_have_the_whole_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("REQUEST_METHOD", "PUT"), ("PATH_INFO", "/a"), ("QUERY_STRING", "b=c"), ("HTTP_X_D", "e")):
        monkeypatch.setenv(name, value)
    code = (
        "def handler(event, context): return [event['method'], event['path'], event['query'], event['headers']['x-d']]"
    )
    assert answer(tmp_path, code, b"{}", "http")[0] == b'["PUT", "/a", {"b": "c"}, "e"]'


def test_what_is_raised_is_told_with_its_own_frames(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        answer(tmp_path, CODE, b'{"wrong": 1}')
    what, _, trace = str(caught.value).partition("\n\n")
    assert what == "ValueError: no"
    assert "main.py" in trace
    assert "component.py" not in trace
    with pytest.raises(Failure, match="SystemExit: 3"):
        answer(tmp_path, "def handler(event): raise SystemExit(3)", b"")
    with pytest.raises(Failure, match="it waits for what only an event loop has"):
        answer(tmp_path, "class Bell:\n    def __await__(self): yield\nasync def handler(event): await Bell()", b"")


def test_a_request_that_does_not_fit_is_the_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTENT_TYPE", "application/json")
    said, heads = answer(tmp_path, CODE, b"{")
    assert b"JSON" in said
    assert [status for status, _ in heads] == [400]


def test_an_application_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="main:app is an application"):
        component(tmp_path, "async def app(scope, receive, send): pass", Heard())


def test_it_says_what_it_is(tmp_path: Path) -> None:
    assert repr(component(tmp_path, CODE, Heard())) == "<Component main:handler, event_context>"
    assert is_usual(b"application/json", b"[1]")
    assert not is_usual(b"application/octet-stream", b"x")
