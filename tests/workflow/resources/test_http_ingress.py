import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import AttaccaError, BadResponse
from attacca.gateway.http.response import of_outcome
from attacca.model.invocation import Ok, Request
from attacca.workflow.resources.http_ingress import HttpIngress, response
from attacca.workflow.resources.types import Host
from tests.cases import each

ASKED = Request(b"h\xc3\xa4", method="POST", path="/a", query="x=1", headers=((b"host", b"a.b"), (b"x-y", b"1")))


async def echo(output: str, data: bytes, seconds: float) -> bytes | None:
    return b"%s %s" % (output.encode(), data)


def ingress(**configuration: str) -> tuple[HttpIngress, list[tuple[str, bytes]]]:
    sent: list[tuple[str, bytes]] = []
    host = Host(lambda *event: sent.append(event), Path(), lambda: 0.0, call=echo)
    return HttpIngress(configuration, host), sent


def test_a_request_is_told_as_functions_of_edgeless_read_it() -> None:
    door, _ = ingress()
    answer = asyncio.run(door.serve(ASKED))
    output, _, event = answer.body.partition(b" ")
    assert (output, json.loads(event)) == (b"new_request", {
        "method": "Post", "protocol": "Unknown", "host": "a.b", "path": "/a?x=1", "body": [104, 195, 164],
        "headers": {"host": "a.b", "x-y": "1"},
    })  # fmt: skip
    assert repr(door) == "<HttpIngress 1 requests>"
    for body, expected in (("text", "h\u00e4"), ("base64", "aMOk")):
        event = asyncio.run(ingress(body=body)[0].serve(ASKED)).body.partition(b" ")[2]
        assert json.loads(event)["body"] == expected


@pytest.mark.parametrize(
    ("configuration", "request_", "code"),
    [
        ({"method": "GET"}, ASKED, "method_not_allowed"),
        ({"wf_id": "true"}, ASKED, "not_found"),
        ({"body": "text"}, Request(b"\xff"), "bad_request"),
    ],
)
def test_what_it_does_not_take_is_refused(configuration: dict[str, str], request_: Request, code: str) -> None:
    with pytest.raises(AttaccaError) as refusal:
        asyncio.run(ingress(**configuration)[0].serve(request_))
    assert refusal.value.code == code
    for event in (ingress()[0].cast("a@b", b""), ingress()[0].call("a@b", b"")):
        with pytest.raises(AttaccaError, match="takes requests, and no events"):
            asyncio.run(event)


def test_an_asynchronous_one_casts_the_body_alone() -> None:
    for encoded, expected in (("false", ASKED.body), ("true", b"aMOk")):
        door, sent = ingress(**{"async": "true", "wf_id": "true", "encode_base64": encoded})
        asyncio.run(door.open("i@w", "w1"))
        answer = asyncio.run(door.serve(Request(ASKED.body, query="wf_id=w1")))
        assert (answer.body, sent) == (b"OK", [("new_request", expected)])


JSON, TEXT = "application/json", "text/plain; charset=utf-8"


@each(
    "reply, expected",
    [
        (None, Ok(b"", "", 204)),
        (b"", Ok(b"", TEXT)),
        (b"text", Ok(b"text", TEXT)),
        (b"\xff", Ok(b"\xff", "application/octet-stream")),
        (b'{"a":1}', Ok(b'{"a":1}', JSON)),
        (b'{"status":1}', Ok(b'{"status":1}', JSON)),
        (b'{"status":200,"more":1}', Ok(b'{"status":200,"more":1}', JSON)),
        (b'{"status":200,"body":[256]}', Ok(b'{"status":200,"body":[256]}', JSON)),
        (b'{"status":404,"headers":{},"body":null}', Ok(b"", "", 404)),
        (b'{"status":201,"headers":{"A":"b"},"body":[104,105]}', Ok(b"hi", TEXT, 201, ((b"a", b"b"),))),
        (b'{"status":200,"headers":{"Content-Type":"x/y"},"body":"hi"}', Ok(b"hi", "x/y")),
        (b'{"status":204,"body":"hi"}', Ok(b"", "", 204)),
        (b"{nothing", Ok(b"{nothing", JSON)),
    ],
)
def test_a_reply_stands_for_a_response(reply: bytes | None, expected: Ok) -> None:
    assert response(reply) == expected


TEXTS = st.text(max_size=5) | st.sampled_from(["a\r\nb: c", "\0", "\ud7ff", "content-length", "5"])
VALUES = st.none() | st.integers(-1, 700) | TEXTS | st.lists(st.integers(-1, 300), max_size=3)
REPLIES = st.binary(max_size=10) | st.dictionaries(
    st.sampled_from(["status", "headers", "body", "more"]), VALUES | st.dictionaries(TEXTS, VALUES, max_size=3)
).map(lambda told: json.dumps(told).encode())


@given(REPLIES)
def test_whatever_a_function_replies_is_sent_or_refused_as_a_functions_answer_is(reply: bytes) -> None:
    made = response(reply)
    try:
        whole = of_outcome(made)
    except BadResponse:
        return
    assert all(b"\n" not in name + value for name, value in whole.fields)
