"""What a component asks of its request, and says of its answer."""

from typing import Any

from attacca.worker.runtime.wasm.host import http
from attacca.worker.runtime.wasm.host.http import Response, WebCall

ENVIRON = {
    "REQUEST_METHOD": "PUT", "PATH_INFO": "/a b", "QUERY_STRING": "c=d", "HTTP_HOST": "h", "HTTP_X_A": "1",
    "CONTENT_TYPE": "text/plain",
}  # fmt: skip


def told(function: str, *words: Any, **environ: str) -> Any:
    table = {**http._FIELDS, **http._INCOMING, **http._OUTGOING}
    return table[function](WebCall(ENVIRON | environ, lambda name: f"stream {name}"), *words)


def test_a_request_is_what_its_environment_says() -> None:
    of = "[method]incoming-request."
    assert told(f"{of}method", None).tag == "put"
    other = told(f"{of}method", None, REQUEST_METHOD="FETCH")
    assert (other.tag, other.payload) == ("other", "FETCH")
    assert told(f"{of}path-with-query", None) == "/a%20b?c=d"
    assert told(f"{of}path-with-query", None, QUERY_STRING="", PATH_INFO="") == "/"
    assert (told(f"{of}scheme", None).tag, told(f"{of}authority", None)) == ("HTTP", "h")
    assert told("[method]incoming-body.stream", None) == "stream in"
    assert told("[method]outgoing-body.write", None) == "stream out"


def test_fields_have_names_of_any_case_and_several_values() -> None:
    fields: http.Pairs = [("x-a", b"1")]
    told("[method]fields.append", fields, "X-A", b"2")
    assert told("[method]fields.get", fields, "x-A") == [b"1", b"2"]
    told("[method]fields.set", fields, "X-B", [b"3"])
    assert told("[method]fields.has", fields, "x-b")
    told("[method]fields.delete", fields, "X-A")
    assert told("[method]fields.entries", fields) == [("x-b", b"3")]


def test_an_answer_has_a_status_and_fields_but_no_length() -> None:
    answer = Response([("x-a", b"1"), ("content-length", b"9")])
    assert told("[method]outgoing-response.set-status-code", answer, 404).tag == "ok"
    assert (repr(answer), answer.told()) == ("<Response 404, 2 fields>", [("x-a", "1")])
    assert told("[method]outgoing-response.status-code", answer) == 404


def test_the_headers_of_a_request_are_given_under_a_number() -> None:
    here = WebCall(ENVIRON, lambda name: name)
    given = http._INCOMING["[method]incoming-request.headers"](here, None)
    assert (repr(here), given.rep, given.type) == ("<WebCall of 1 things>", 0, http.FIELDS)
    assert here._things[0] == [("host", b"h"), ("x-a", b"1"), ("content-type", b"text/plain")]
    http._OUTGOING["[static]response-outparam.set"](here, None, "answer")
    assert here.answer == "answer"
