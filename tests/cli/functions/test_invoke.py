import io
import json
from pathlib import Path

import pytest

from attacca.cli.functions.invoke import read_body, read_headers, server_timing, sub_path, together
from attacca.errors import BadConfig, NotFound
from tests.cases import each


def test_arguments_are_json_where_they_can_be() -> None:
    body, kind = read_body(None, ["name=bob", "times=3", "tags=[1, 2]", "on=true", "empty=", "eq=a=b"], "")
    assert json.loads(body) == {"name": "bob", "times": 3, "tags": [1, 2], "on": True, "empty": "", "eq": "a=b"}
    assert kind == "application/json"


@pytest.mark.parametrize(
    ("data", "kind"),
    [('{"a": 1}', "application/json"), ("hello", "text/plain; charset=utf-8"), ("1", "application/json")],
)
def test_the_type_of_a_body_is_seen_by_its_look(data: str, kind: str) -> None:
    assert read_body(data, [], "") == (data.encode(), kind)


def test_what_json_has_no_word_for_is_text() -> None:
    args = ["a=NaN", "b=1e999", "c=-Infinity", f"d={'9' * 5000}", f"e={'[' * 100_000}"]
    body, kind = read_body(None, args, "")
    assert kind == "application/json"
    assert all(isinstance(value, str) for value in json.loads(body).values())
    assert read_body("[" * 100_000, [], "")[1].startswith("text/plain")


def test_no_body_is_no_body() -> None:
    assert read_body(None, [], "")[0] == b""


def test_a_file_is_sent_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(bytes(range(256)))
    (tmp_path / "plain").write_bytes(b"\xff\xfe")
    assert read_body(None, [], str(tmp_path / "a.png")) == (bytes(range(256)), "image/png")
    assert read_body(None, [], str(tmp_path / "plain"))[1] == "application/octet-stream"
    with pytest.raises(NotFound):
        read_body(None, [], str(tmp_path / "nothing"))


def test_a_body_is_said_once() -> None:
    with pytest.raises(BadConfig, match="each say what the body is"):
        read_body("{}", ["a=1"], "")
    with pytest.raises(BadConfig, match="is not K=V"):
        read_body(None, ["a"], "")


@each("path, sub", [("", ""), ("/", "/"), ("a b", "/a%20b"), ("/items/7", "/items/7"), ("%20", "/%20")])
def test_a_sub_path_is_quoted_once(path: str, sub: str) -> None:
    assert sub_path(path) == sub


def test_server_timing_is_read_as_numbers() -> None:
    assert server_timing('queued;dur=0.1, run;dur=3;desc="x", broken;dur=, x') == {"queued": 0.1, "run": 3.0}
    assert server_timing("") == {}


def test_an_at_names_a_file_as_with_curl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "event.json").write_text('{"a": 1}')
    assert read_body(f"@{tmp_path}/event.json", [], "") == (b'{"a": 1}', "application/json")
    assert read_body("@", [], "")[0] == b"@"
    with pytest.raises(NotFound, match="nothing"):
        read_body(f"@{tmp_path}/nothing", [], "")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"[1]")))
    assert read_body("@-", [], "") == (b"[1]", "application/json")


@each(
    "queries, target",
    [
        ([], ""),
        ([""], ""),
        (["a=1"], "?a=1"),
        (["a=1", "a=2"], "?a=1&a=2"),
        (["?a=1&b=2", "a=1"], "?a=1&b=2&a=1"),
        (["a=1&", ""], "?a=1&"),
    ],
)
def test_what_several_options_ask_is_asked_in_their_order(queries: list[str], target: str) -> None:
    assert together(queries) == target


def test_headers_of_one_name_are_one() -> None:
    assert read_headers(["X-A: 1", "x-a:2", "Cookie: a=1", "Cookie: b=2", "X-Empty:"]) == {
        "x-a": "1, 2", "cookie": "a=1; b=2", "x-empty": "",
    }  # fmt: skip


@each("line", ["nothing", ": x", "a b: c", "a: \r\nb: c", "a: \u20ac", "\xe9: x"])
def test_what_is_no_header_is_refused(line: str) -> None:
    with pytest.raises(BadConfig):
        read_headers([line])
