"""From a request's bytes to a handler's arguments."""

from typing import Any

import pytest

from attacca.guest import channel as wire
from attacca.guest.conversion import OF_TYPES
from attacca.guest.load import Parameters
from attacca.guest.payload import (
    Asked,
    BadInput,
    alone,
    decode,
    fields,
    fields_of,
    named,
    unpack,
    unpack_request,
)
from tests.cases import each

FORM = b"application/x-www-form-urlencoded"


def event(body: bytes, kind: bytes = b"", query: bytes = b"") -> Any:
    return decode(Asked("9f-1", kind, query, body))


@each(
    "body, kind, query, found",
    [
        (b"", b"", b"", {}),
        (b"", b"application/json", b"a=1&b=&a=2", {"a": ["1", "2"], "b": ""}),
        (b'{"a": 1}', b"application/json", b"", {"a": 1}),
        (b"[1]", b"Application/JSON; charset=utf-8", b"", [1]),
        (b"[1]", b"application/vnd.api+json", b"", [1]),
        (b'{"a": 1}', b"", b"", {"a": 1}),
        (b'{"a": 1}', FORM, b"", {"a": 1}),
        (b"a=1&b=x+y", FORM, b"", {"a": "1", "b": "x y"}),
        (b"hello", b"text/plain", b"", b"hello"),
        (b"[not json", b"text/plain", b"", b"[not json"),
        (b"1", b"application/octet-stream", b"", b"1"),
        (b"\xff\xd8", b"image/jpeg", b"a=1", b"\xff\xd8"),
    ],
)
def test_a_body_is_what_its_type_says_or_what_it_looks_like(body: bytes, kind: bytes, query: bytes, found: Any) -> None:
    assert event(body, kind, query) == found


@pytest.mark.parametrize("kind", [b"application/json", b"application/problem+json"])
def test_what_calls_itself_json_has_to_be(kind: bytes) -> None:
    with pytest.raises(BadInput, match="not the JSON that its content type says"):
        event(b"{", kind)


KINDS = [b"application/json", b"application/x+json", b"", b"text/plain", FORM]
LEVELS = 100_000


@each(
    "body",
    [
        b"[" * LEVELS, b"[" * LEVELS + b"]" * LEVELS, b'{"a":' * LEVELS, b'{"a":[' * LEVELS, b" \n" + b"[" * LEVELS,
        b'{"a": ' + b"[" * LEVELS + b"]" * LEVELS + b"}", b"[1, " * LEVELS,
    ],
)  # fmt: skip
def test_json_that_is_too_deep_is_the_clients_fault_whatever_it_is_called(body: bytes) -> None:
    for kind in KINDS:
        with pytest.raises(BadInput, match="too many levels"):
            event(body, kind)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "body", [b"9" * 5000, b"-" + b"9" * 5000, b'{"a": [' + b"1" * 5000 + b"]}", b" " + b"9" * 5000]
)
def test_so_is_a_number_that_is_too_long(body: bytes, kind: bytes) -> None:
    with pytest.raises(BadInput, match="number that is too long"):
        event(body, kind)


@each("body", [b"[NaN]", b"[Infinity]", b"-Infinity", b'{"a": NaN}', b" [NaN] "])
def test_numbers_that_json_does_not_know_are_no_json(body: bytes) -> None:
    with pytest.raises(BadInput, match="is not JSON"):
        event(body, b"application/json")
    assert event(body, b"text/plain") == body


def test_the_rest_is_what_python_makes_of_it() -> None:
    assert event(b"[1e999, -1e999, 1e-999]", b"application/json") == [float("inf"), float("-inf"), 0.0]
    assert event(b"[" + b"9" * 400 + b".0]") == [float("inf")]
    assert event(b'"\\ud800"', b"application/json") == "\ud800"
    assert event(b'{"\\udfff": 1}') == {"\udfff": 1}
    assert event(b"[" * 500 + b"]" * 500) != []
    with pytest.raises(BadInput, match="'n' must be an integer") as refused:
        named({"n": "9" * 5000}, parameters("n", n=int), are_texts=True)
    assert len(str(refused.value)) < 200


def parameters(*names: str, required: tuple[str, ...] = (), takes_any: bool = False, **kinds: type) -> Parameters:
    return Parameters(names, required, takes_any, {name: OF_TYPES[kind] for name, kind in kinds.items()})


def test_a_dict_gives_each_parameter_its_own() -> None:
    assert fields([1]) == {"body": [1]}
    assert fields({"a": 1}) == {"a": 1}
    assert named({"a": 1, "z": 2}, parameters("a", takes_any=True), are_texts=False) == {"a": 1, "z": 2}
    for told, says in (
        ({}, "missing 'a'; the function takes 'a', 'b'"),
        ({"a": 1, "z": 2}, "unknown 'z'; the function takes 'a', 'b'"),
        ({"z": 2}, "missing 'a', unknown 'z'; the function takes 'a', 'b'"),
    ):
        with pytest.raises(BadInput, match=says):
            named(told, parameters("a", "b", required=("a",)), are_texts=False)
    with pytest.raises(BadInput, match="unknown 'z'; the function takes nothing"):
        named({"z": 2}, parameters(), are_texts=False)


def test_texts_of_a_query_become_what_is_annotated() -> None:
    takes = parameters("n", "x", "on", "name", n=int, x=float, on=bool)
    told = {"n": "7", "x": "0.5", "on": "No", "name": "7"}
    assert named(told, takes, are_texts=True) == {"n": 7, "x": 0.5, "on": False, "name": "7"}
    assert named(told, takes, are_texts=False) == told, "JSON says itself what it is"
    assert named({"on": "yes"}, takes, are_texts=True) == {"on": True}
    with pytest.raises(BadInput, match="'n' must be an integer, not 'x'"):
        named({"n": "x"}, takes, are_texts=True)
    with pytest.raises(BadInput, match="'x' must be a number, not 'y'"):
        named({"x": "y"}, takes, are_texts=True)


def test_what_is_no_dict_is_the_one_parameter_and_the_query_has_the_others() -> None:
    assert named([1], parameters("only"), are_texts=False) == {"only": [1]}
    photo = parameters("photo", "width", required=("photo",), width=int)
    assert named(b"jpeg", photo, b"width=320", are_texts=False) == {"photo": b"jpeg", "width": 320}
    for several in (parameters("a", "b"), parameters("a", "b", required=("a", "b"))):
        with pytest.raises(BadInput, match="send a JSON object with 'a', 'b'"):
            named([1], several, are_texts=False)


def test_what_is_given_several_times_is_a_list_where_one_is_wanted() -> None:
    takes = parameters("tag", "n", "name", tag=list, n=int)
    told = event(b"", query=b"tag=a&tag=b&n=1&name=x&name=y")
    assert named(told, takes, are_texts=True) == {"tag": ["a", "b"], "n": 1, "name": ["x", "y"]}
    assert named(event(b"tag=a", FORM), takes, are_texts=True) == {"tag": ["a"]}
    with pytest.raises(BadInput, match="'n' must be given once, not 2 times"):
        named(event(b"", query=b"n=1&n=2"), takes, are_texts=True)
    assert named({"n": [1, 2]}, takes, are_texts=True) == {"n": [1, 2]}, "JSON that calls itself a form"


def test_a_request_comes_apart_as_it_was_put_together() -> None:
    host, empty = (b"host", b"h"), (b"x-empty", b"")
    head = wire.lines((b"9f-1", b"text/plain", b"a=1", b"PUT", b"/x", b"203.0.113.7", b"https", *host, *empty))
    asked = unpack_request(wire.REQUEST_HEAD.pack(1, 5123, len(head)) + head + b"body\n")
    assert asked.headers == [*host, *empty]
    assert fields_of(asked) == [("host", "h"), ("x-empty", "")]
    assert fields_of(asked._replace(headers=[])) == []
    assert asked[:4] == ("9f-1", "PUT", "/x", b"a=1")
    assert asked[5:] == (b"body\n", True, b"text/plain", "203.0.113.7", 5123, "https")
    assert alone(asked) == ("9f-1", b"text/plain", b"a=1", b"body\n", "")
    traced = asked._replace(headers=[*host, b"TraceParent", b"00-1-2-01"])
    assert alone(traced).traceparent == "00-1-2-01"


def test_a_trace_comes_with_the_name_of_its_invocation() -> None:
    name = b"9f-1 00-1-2-01"
    asked = unpack(wire.INVOKE_HEAD.pack(len(name), 0, 3) + name + b"a=1" + b"body")
    assert (asked.id, asked.traceparent, asked.query, asked.body) == ("9f-1", "00-1-2-01", b"a=1", b"body")
