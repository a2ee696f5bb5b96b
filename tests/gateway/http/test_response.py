from collections.abc import Iterator

import msgspec
import pytest

from attacca.errors import BadResponse, Draining, QueueFull, Unauthorized
from attacca.gateway.core.inflight import Inflight
from attacca.gateway.http import response
from attacca.model.invocation import Failed, FunctionError, Ok, Start, Timing
from attacca.model.messages import Started
from tests.cases import each
from tests.gateway.play import revision
from tests.gateway.stage import Stage

DATE = b"Thu, 01 Jan 1970 00:00:00 GMT"


def text(
    outcome: Ok | FunctionError | Failed, *, keep: bool = True, is_old: bool = False, is_head: bool = False
) -> str:
    parts = response.whole(response.of_outcome(outcome), DATE, keep=keep, is_old=is_old, is_head=is_head)
    return b"".join(parts).decode("latin-1")


def taken(start: Start) -> Inflight:
    stage = Stage(revision("f"))
    inflight = stage.admit(0.0, "9f-1")
    spent = Timing(queued=1.0, placed=0.5, sandbox=2.0, code=0.25, imports=30)
    stage.tell(0.0, Started("9f-1", "s-1", start, "", spent))
    stage.end(1.0, Ok(), "9f-1", run_ms=4.0)
    return inflight


def test_a_plain_answer() -> None:
    assert text(Ok(b"hi", "text/plain")) == (
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n"
        "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nhi"
    )


def test_how_the_connection_goes_on_is_said_where_it_is_not_plain() -> None:
    assert "connection: close" in text(Ok(), keep=False)
    assert "connection: keep-alive" in text(Ok(), is_old=True)
    assert "connection" not in text(Ok())


def test_head_and_bodiless_answers() -> None:
    assert text(Ok(b"hello"), is_head=True).endswith("\r\n\r\n")
    assert "content-length: 5" in text(Ok(b"hello"), is_head=True)
    assert "content-length: 99" in text(Ok(headers=((b"Content-Length", b"99"),)), is_head=True)
    assert "content-length" not in text(Ok(b"hello", status=204))
    assert text(Ok(b"hello", status=304)).endswith("\r\n\r\n")


def test_a_functions_headers_pass_except_those_of_the_connection() -> None:
    headers = (
        (b"Set-Cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"Content-Type", b"text/css"),
        (b"Connection", b"upgrade"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Content-Length", b"999"),
        (b"X-Attacca-Start", b"warm"),
        (b"Date", b"today"),
    )
    said = text(Ok(b"hi", headers=headers))
    assert said == (
        "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-type: text/css\r\ndate: today\r\n"
        "content-length: 2\r\n\r\nhi"
    )


@each(
    "outcome",
    [
        Ok(headers=((b"x", b"a\r\nset-cookie: b=1"),)),
        Ok(headers=((b"x", b"a\nb"),)),
        Ok(headers=((b"x", b"a\0b"),)),
        Ok(headers=((b"x: y\r\nz", b"a"),)),
        Ok(headers=((b"", b"a"),)),
        Ok(headers=((b"x y", b"a"),)),
        Ok(headers=((b"content-length", b"1"), (b"content-length", b"2"))),
        Ok(headers=((b"content-length", b"-1"),)),
        Ok(content_type="text/html\r\nx: y"),
        Ok(status=99),
        Ok(status=101),
        Ok(status=1000),
        Ok(streamed=True),
    ],
)
def test_no_answer_breaks_out_of_its_head(outcome: Ok) -> None:
    with pytest.raises(BadResponse):
        response.of_outcome(outcome)


def test_errors_have_one_shape() -> None:
    full = response.of_error(QueueFull("full", "come back", 7))
    assert (full.status, dict(full.fields)[b"retry-after"]) == (429, b"7")
    assert msgspec.json.decode(full.body) == {"error": {"code": "queue_full", "message": "full", "try": "come back"}}
    assert dict(response.of_error(Draining("bye")).fields)[b"retry-after"] == b"1"
    assert dict(response.of_error(Unauthorized("who")).fields)[b"www-authenticate"] == b"Bearer"


def test_a_users_exception() -> None:
    found = response.of_outcome(FunctionError("ValueError", "no", "Traceback ..."))
    error = msgspec.json.decode(found.body)["error"]
    assert found.status == 500
    assert (error["code"], error["type"], error["traceback"]) == ("function_error", "ValueError", "Traceback ...")


def test_what_a_failure_says() -> None:
    for code, status in (("timeout", 504), ("sandbox_lost", 502), ("no_capacity", 503), ("draining", 503), ("?", 500)):
        found = response.of_outcome(Failed(code, "why", "try this"))
        assert found.status == status
        assert (b"retry-after" in dict(found.fields)) is (status == 503)
    assert b"boom" in response.of_outcome(Failed("start_failed", "why", traceback="boom")).body


def test_half_a_surrogate_pair_is_no_reason_to_fail() -> None:
    assert b'"message":"?"' in response.of_outcome(FunctionError("E", "\ud800")).body


def test_where_the_time_went() -> None:
    fields = dict(response.trace(taken(Start.COLD)))
    assert fields == {
        b"x-attacca-invocation-id": b"9f-1",
        b"x-attacca-arrived": b"1000000000000000",
        b"x-attacca-waiting": b"0",
        b"x-attacca-start": b"cold",
        b"x-attacca-sandbox": b"s-1",
        b"server-timing": b"queued;dur=1.000, placed;dur=0.500, sandbox;dur=2.000, code;dur=0.250, "
        b"imports;dur=30.000, run;dur=4.000, total;dur=1000.000",
    }


def test_parts_of_a_start_that_only_some_have_stand_where_they_pass() -> None:
    spent = Timing(sandbox=2.0, network=0.5, image=8.0, code=0.25, imports=30, readiness=1.5)
    assert response.made(spent) == (
        b"sandbox;dur=2.000, network;dur=0.500, image;dur=8.000, code;dur=0.250, imports;dur=30.000, "
        b"readiness;dur=1.500"
    )
    assert response.made(Timing(image=8.0)) == b"sandbox;dur=0.000, image;dur=8.000, code;dur=0.000, imports;dur=0.000"


def test_content_types_are_remembered_only_when_harmless() -> None:
    assert response.content_type("a/b") == b"a/b"
    for _ in range(2):
        with pytest.raises(BadResponse):
            response.content_type("a/b\n")
    for number in range(1000):
        response.content_type(f"x/{number}")
        assert len(response._content_types) <= response.CONTENT_TYPES_KEPT
    assert response.content_type("application/json") == b"application/json"


class Unlooked(tuple[tuple[bytes, bytes], ...]):
    """Headers that must not be looked at one by one."""

    __slots__ = ()

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        raise AssertionError("too many to be looked at")


def many(count: int, size: int = 1) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((b"x-%d" % number, b"y" * size) for number in range(count))


TYPE = ((b"content-type", b"text/plain"),)


def test_a_head_has_a_limit() -> None:
    for allowed in (many(200), TYPE + many(200), many(1, 65_000), many(150, 400)):
        assert response.clean(allowed) == list(allowed)
    long = (((b"y" * 66_000, b""),), many(1, 66_000), many(150, 500))
    for refused in (many(201), TYPE + many(201), many(20_000), *long):
        with pytest.raises(BadResponse, match="head of the function's answer has"):
            response.clean(refused)
        with pytest.raises(BadResponse):
            response.of_outcome(Ok(headers=refused))
    with pytest.raises(BadResponse):
        response.of_outcome(Ok(content_type="x" * 66_000))
    with pytest.raises(BadResponse):
        response.of_outcome(Ok(content_type="x" * 40_000, headers=many(1, 40_000)))


@pytest.mark.long
def test_too_many_are_refused_unseen() -> None:
    for count in (202, 60_000):
        with pytest.raises(BadResponse):
            response.clean(Unlooked(many(count)))


def test_long_content_types_are_not_remembered() -> None:
    for number in range(40):
        response.content_type(f"text/{number}" + "x" * 60_000)
    assert sum(len(known) for known in vars(response)["_content_types"]) < 1 << 20


@each("end", ["\n", "\r", "\r\n", "\0", "\x0b", "\r\nx: y", "\n\n"])
def test_a_line_ends_nowhere_within_a_field(end: str) -> None:
    raw = end.encode()
    for headers in (
        ((b"x" + raw, b"y"),),
        ((b"x", b"y" + raw),),
        ((raw, b"y"),),
        ((raw + b"x", b"y"),),
        ((b"", b"y"),),
    ):
        with pytest.raises(BadResponse, match="does not allow"):
            response.clean(headers)
    with pytest.raises(BadResponse, match="does not allow"):
        response.content_type("text/plain" + end)
    for length in (b"5" + raw, raw, b"9" * 5000, b"-1", b"+5", b"5_0", "５".encode()):
        with pytest.raises(BadResponse):
            response.declared_length([(b"content-length", length)])
