import json
from pathlib import Path

import pytest

from attacca.cli.invoke import read_body, server_timing, sub_path
from attacca.errors import BadConfig, NotFound


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


@pytest.mark.parametrize(
    ("path", "sub"), [("", ""), ("/", "/"), ("a b", "/a%20b"), ("/items/7", "/items/7"), ("%20", "/%20")]
)
def test_a_sub_path_is_quoted_once(path: str, sub: str) -> None:
    assert sub_path(path) == sub


def test_server_timing_is_read_as_numbers() -> None:
    assert server_timing('queued;dur=0.1, run;dur=3;desc="x", broken;dur=, x') == {"queued": 0.1, "run": 3.0}
    assert server_timing("") == {}
