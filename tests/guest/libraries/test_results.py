"""Responses of the frameworks that functions bring."""

from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse

from attacca.guest import channel as wire
from attacca.guest.answers import Answer, Stream, encode
from tests.guest.test_results import later


def test_responses_of_frameworks_are_what_they_say() -> None:
    page = HTMLResponse("<p>", 201, {"x": "1"})
    page.set_cookie("a", "1")
    page.set_cookie("b", "2")
    found = encode(page)
    assert isinstance(found, Answer)
    assert (found.status, found.content_type, found.body) == (201, b"text/html; charset=utf-8", b"<p>")
    names = [name for name, _ in wire.fields(found.headers)]
    assert names == [b"x", b"set-cookie", b"set-cookie"]
    told = encode(JSONResponse({"a": 1}))
    assert told == (200, b"application/json", b"", b'{"a":1}')
    streamed = encode(StreamingResponse(later(b"a"), media_type="text/csv"))
    assert isinstance(streamed, Stream)
    assert streamed.content_type == b"text/csv; charset=utf-8"
