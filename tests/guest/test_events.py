"""Events in the shapes that people's handlers were written for."""

import base64
import json
import os
from typing import Any

import pytest

from attacca.guest import events
from attacca.guest.context import Function
from attacca.guest.payload import BadInput, Requested
from tests.cases import each

NOW = 1583348638.39


def asked(
    method: str = "POST",
    path: str = "/items/a%20b",
    query: bytes = b"tag=a&tag=b&n=1&empty=",
    body: bytes = b'{"a": 1}',
    kind: str = "application/json",
    *headers: tuple[str, str],
) -> Requested:
    told = [("host", "h.example:8080"), ("x-key", "k"), ("x-two", "1"), ("x-two", "2"), ("cookie", 'a=1; b="x y"')]
    told += [("user-agent", "curl/8"), *([("content-type", kind)] if kind else []), *headers]
    raw = [text.encode() for pair in told for text in pair]
    return Requested("9f-1", method, path, query, raw, body, False, kind.encode(), "203.0.113.7", 5123, "https")  # noqa: FBT003


def test_our_own_shape_has_everything_by_name() -> None:
    event = events.http(asked())
    assert event == {
        "method": "POST",
        "path": "/items/a b",
        "query": {"tag": ["a", "b"], "n": "1", "empty": ""},
        "headers": {
            "host": "h.example:8080",
            "x-key": "k",
            "x-two": "1, 2",
            "cookie": 'a=1; b="x y"',
            "user-agent": "curl/8",
            "content-type": "application/json",
        },
        "cookies": {"a": "1", "b": "x y"},
        "client": "203.0.113.7",
        "body": {"a": 1},
    }
    assert json.loads(json.dumps(event)) == event, "it can be sent back"
    assert event["headers"]["X-Key"] == event["headers"].get("X-KEY") == "k"
    assert "Content-Type" in event["headers"]


def test_the_classic_watchdog_has_it_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"PATH": "/bin", "Http_X_Before": "1"})
    assert events.watched(asked()) == '{"a": 1}'
    found = os.environ
    assert (found["Http_Method"], found["Http_Path"], found["PATH"]) == ("POST", "/items/a b", "/bin")
    assert (found["Http_Query"], found["Http_Content_Length"]) == ("tag=a&tag=b&n=1&empty=", "8")
    assert (found["Http_X_Key"], found["Http_X_Two"], found["Http_User_Agent"]) == ("k", "1, 2", "curl/8")
    assert "Http_X_Before" not in found


def test_its_fields_are_attributes_as_openfaas_has_them() -> None:
    event = events.http(asked())
    assert (event.method, event.path, event.body) == ("POST", "/items/a b", b'{"a": 1}')
    assert event.headers.get("Content-Type") == "application/json"
    assert event.query.get("n") == "1"
    with pytest.raises(AttributeError):
        _ = event.nothing


def test_its_body_is_what_a_plain_event_would_be() -> None:
    def body(raw: bytes, kind: str) -> Any:
        return events.http(asked(body=raw, kind=kind))["body"]

    assert body(b"", "") is None, "the query is not the body"
    assert body(b"a=1&a=2", "application/x-www-form-urlencoded") == {"a": ["1", "2"]}
    assert body(b"\xff", "image/png") == b"\xff"
    for deep in (b"[" * 100_000 + b"]" * 100_000, b"{"):
        with pytest.raises(BadInput):
            body(deep, "application/json")


def test_an_action_is_told_parameters_and_beside_them_the_request() -> None:
    told = events.action(asked())
    assert (told["a"], told["n"], told["tag"]) == (1, "1", ["a", "b"])
    assert (told["__ow_method"], told["__ow_path"]) == ("post", "/items/a b")
    assert (told["__ow_query"], told["__ow_body"]) == ("tag=a&tag=b&n=1&empty=", '{"a": 1}')
    assert told["__ow_headers"]["x-key"] == "k"
    assert told["http"] == {
        "method": "POST",
        "path": "/items/a b",
        "headers": told["__ow_headers"],
        "queryString": "tag=a&tag=b&n=1&empty=",
        "body": '{"a": 1}',
        "isBase64Encoded": False,
    }
    picture = events.action(asked(body=b"\xff", kind="image/png"))["http"]
    assert (picture["body"], picture["isBase64Encoded"]) == ("/w==", True)


def test_a_rest_apis_event() -> None:
    event = events.gateway_v1(asked(), [], NOW)
    assert event["multiValueHeaders"]["x-two"] == ["1", "2"]
    assert event["headers"]["X-Two"] == "2", "the last one, as there"
    assert event["headers"]["x-forwarded-for"] == "203.0.113.7"
    assert event["headers"].keys() == event["multiValueHeaders"].keys()
    assert event["queryStringParameters"] == {"tag": "b", "n": "1", "empty": ""}
    assert event["multiValueQueryStringParameters"] == {"tag": ["a", "b"], "n": ["1"], "empty": [""]}
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/{proxy+}", "/items/a b", "POST")
    assert event["pathParameters"] == {"proxy": "items/a b"}
    assert (event["body"], event["isBase64Encoded"], event["stageVariables"]) == ('{"a": 1}', False, None)
    context = event["requestContext"]
    assert context["identity"]["sourceIp"] == "203.0.113.7"
    assert context["identity"]["userAgent"] == "curl/8"
    assert (context["requestId"], context["stage"], context["protocol"]) == ("9f-1", "$default", "HTTP/1.1")
    assert (context["requestTime"], context["requestTimeEpoch"]) == ("04/Mar/2020:19:03:58 +0000", 1583348638390)
    assert (context["httpMethod"], context["path"], context["resourcePath"]) == ("POST", "/items/a b", "/{proxy+}")
    json.dumps(event)


def test_what_a_rest_api_does_not_have_is_none() -> None:
    event = events.gateway_v1(asked("GET", "/", b"", b"", ""), [], NOW)
    for name in ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body"):
        assert event[name] is None
    assert (event["resource"], event["requestContext"]["resourcePath"]) == ("/", "/")


def test_an_http_apis_event() -> None:
    event = events.gateway_v2(asked(), NOW)
    context = event.pop("requestContext")
    headers = event.pop("headers")
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/items/a b",
        "rawQueryString": "tag=a&tag=b&n=1&empty=",
        "cookies": ["a=1", 'b="x y"'],
        "queryStringParameters": {"tag": "a,b", "n": "1", "empty": ""},
        "body": '{"a": 1}',
        "isBase64Encoded": False,
    }
    assert (headers["x-two"], headers["x-forwarded-proto"]) == ("1,2", "https")
    assert context["http"] == {
        "method": "POST",
        "path": "/items/a b",
        "protocol": "HTTP/1.1",
        "sourceIp": "203.0.113.7",
        "userAgent": "curl/8",
    }
    assert (context["stage"], context["requestId"]) == ("$default", "9f-1")
    assert (context["time"], context["timeEpoch"]) == ("04/Mar/2020:19:03:58 +0000", 1583348638390)


def test_what_an_http_api_does_not_have_is_left_out() -> None:
    bare = Requested("9f-1", "GET", "/", b"", [], b"", more=False)
    event = events.gateway_v2(bare, NOW)
    assert not {"cookies", "queryStringParameters", "body"} & event.keys()
    assert (event["rawPath"], event["rawQueryString"], event["isBase64Encoded"]) == ("/", "", False)


@each(
    "body, kind, is_based",
    [
        (b"a=1", "application/x-www-form-urlencoded", False),
        ("é".encode(), "text/plain; charset=utf-8", False),
        (b"<a/>", "image/svg+xml", False),
        (b"plain", "", False),
        (b"\xff", "text/plain", True),
        (b"text", "application/octet-stream", True),
        (b"\x89PNG", "image/png", True),
    ],
)
def test_a_body_that_is_no_text_comes_as_base64(body: bytes, kind: str, is_based: bool) -> None:  # noqa: FBT001
    for event in (
        events.gateway_v1(asked(body=body, kind=kind), [], NOW),
        events.gateway_v2(asked(body=body, kind=kind), NOW),
    ):
        assert event["isBase64Encoded"] is is_based
        assert (base64.b64decode(event["body"]) if is_based else event["body"].encode()) == body


@each(
    "path, resource, parameters",
    [
        ("/", "/", None),
        ("/items", "/items", None),
        ("/items/7", "/items/{id}", {"id": "7"}),
        ("/items/a%20b", "/items/{id}", {"id": "a b"}),
        ("/items/new", "/items/new", None),
        ("/items/7/tags", "/{proxy+}", {"proxy": "items/7/tags"}),
        ("/items/", "/{proxy+}", {"proxy": "items/"}),
    ],
)
def test_where_routes_are_known_by_patterns_the_resource_is_one_of_them(
    path: str, resource: str, parameters: dict[str, str] | None
) -> None:
    assert events.resource_of(path, ["/", "/items/{id}", "/items", "/items/new"]) == (resource, parameters)


def test_the_shape_asks_the_handler_for_its_routes() -> None:
    class Chalice:
        routes = {"/hi/{name}": {"GET": None}}  # noqa: RUF012

    function = Function("shop", 1, 128, 30.0)
    found = events.shape("api-gateway-v1", Chalice(), function)(asked(path="/hi/bo"))
    assert (found["resource"], found["pathParameters"]) == ("/hi/{name}", {"name": "bo"})
    assert events.shape("api-gateway-v2", Chalice(), function)(asked())["version"] == "2.0"
    assert events.shape("http", None, function)(asked())["method"] == "POST"


def test_cookies_are_read_as_browsers_send_them() -> None:
    assert events.cookies_of("a=1; b=; c; =d; a=2; e=%20") == {"a": "1", "b": "", "e": " "}
    assert events.cookies_of("") == {}
