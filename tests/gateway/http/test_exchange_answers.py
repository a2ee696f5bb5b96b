"""Answers, whole and in pieces, to clients that read them and clients that do not."""

import pytest

from attacca.gateway.config import GatewayConfig
from attacca.model.function import Signature
from attacca.model.invocation import Failed, FunctionError, Ok, Outcome
from tests.cases import each
from tests.gateway.http.stage import Line, Stage, error
from tests.gateway.http.test_exchange import MB, TIGHT, upload
from tests.gateway.play import revision
from tests.gateway.wire import get, post


def test_a_warm_answer_has_its_details_when_they_are_asked_for() -> None:
    line = Stage().connect()
    short = line.ask(post("/function/echo", b"1"))
    told = line.ask(post("/function/echo", b"1", "X-Attacca-Detail: 1"))
    details = {b"x-attacca-sandbox", b"x-attacca-arrived", b"x-attacca-waiting"}
    assert {name for name, _ in told.fields} - {name for name, _ in short.fields} == details
    [timing] = short.all(b"server-timing")
    queued, _, rest = timing.partition(b", sandbox;dur=0, code;dur=0, imports;dur=0, ")
    assert (queued, rest.startswith(b"run;dur=1.500, total;dur=")) == (b"queued;dur=0.250, placed;dur=0.500", True)


def test_head_requests() -> None:
    here = Stage()
    here.worker.answers["echo"] = lambda request: Ok(b"four")
    line = here.connect()
    assert line.ask(get("/function/echo", method="HEAD")).all(b"content-length") == [b"4"]
    assert line.ask(get("/function/echo")).body == b"four"


BAD: list[Outcome] = [Ok(b"x", headers=((b"x", b"a\r\nb: c"),)), Ok(b"x", content_type="a/b\n"), Ok(status=999)]


@pytest.mark.parametrize("outcome", BAD)
def test_what_cannot_be_sent_is_remembered_as_such(outcome: Outcome) -> None:
    here = Stage()
    here.worker.answers["f"] = lambda request: outcome
    line = here.connect()
    assert error(line.ask(post("/function/f"))) == (500, "bad_response")
    assert [(call.status, call.outcome) for call in here.calls] == [(500, "bad_response")]
    assert line.ask(post("/function/echo", b"x")).body == b"x"


def test_errors_of_functions_and_of_the_platform() -> None:
    here = Stage()
    line = here.connect()
    for outcome, status in ((FunctionError("E", "no"), 500), (Failed("timeout", "late"), 504)):
        here.worker.answers["f"] = lambda request, outcome=outcome: outcome  # type: ignore[misc]
        assert line.ask(post("/function/f")).status == status
    assert error(here.connect().ask(post("/function/ecko"))) == (404, "not_found")


def test_large_answers_take_room_until_they_are_read() -> None:
    here = Stage(TIGHT)
    here.worker.answers["f"] = lambda request: Ok(bytes(5 * MB))
    slow = [here.connect() for _ in range(2)]
    for line in slow:
        line.is_slow = True
        line.send(get("/function/f"))
    assert here.server.rooms.answers.held == 5 * MB
    assert "in a room of 5242880" in repr(slow[0].connection.writer)
    assert (error(slow[1].answer()), here.calls[-1].outcome) == ((503, "overloaded"), "overloaded")
    slow[0].read(slow[0].unread)
    assert here.server.rooms.answers.held == 0
    assert len(here.connect().ask(get("/function/f")).body) == 5 * MB
    assert here.server.rooms.answers.held == 0


def stream(
    here: Stage, *headers: tuple[bytes, bytes], method: str = "GET", version: str = "HTTP/1.1", status: int = 200
) -> Line:
    line = here.connect().send(get("/function/stream", method=method, version=version))
    here.start()
    here.head(*headers, status=status)
    return line


def test_a_chunked_answer() -> None:
    here = Stage()
    line = stream(here, (b"X-One", b"1"), (b"connection", b"x"))
    for text in (b"one", b"", b"three"):
        here.piece(text)
    here.end(Ok(streamed=True))
    answer = line.answer()
    assert (answer.body, answer.all(b"x-one"), answer.all(b"connection")) == (b"onethree", [b"1"], [])
    assert answer.all(b"x-attacca-start") == [b"warm"]


@each(
    "sent, length, outcome, body, has_ended",
    [
        (b"onetwo", b"6", Ok(streamed=True), b"onetwo", False),
        (b"onetwo", b"3", Ok(streamed=True), b"one", True),
        (b"onetwo", b"9", Ok(streamed=True), b"", True),
        (b"onetwo", b"6", Failed("sandbox_lost", ""), b"onetwo", False),
        (b"onetwo", None, Failed("sandbox_lost", ""), b"", True),
    ],
)
def test_an_answer_keeps_to_its_length_or_breaks_off(
    sent: bytes, length: bytes | None, outcome: Outcome, body: bytes, *, has_ended: bool
) -> None:
    here = Stage()
    line = stream(here, *([] if length is None else [(b"Content-Length", length)]))
    here.piece(sent)
    here.end(outcome)
    assert line.answer().body == body
    assert (line.has_ended, line.is_aborted) == (has_ended, False)


def test_an_answer_without_a_length_ends_with_the_connection_in_http_1_0() -> None:
    for outcome, aborts in ((Ok(streamed=True), False), (Failed("sandbox_lost", ""), True)):
        here = Stage()
        line = stream(here, version="HTTP/1.0")
        here.piece(b"one")
        here.end(outcome)
        answer = line.answer()
        assert (answer.body, answer.closes, line.is_aborted) == (b"one", True, aborts)
    here = Stage()
    line = here.connect().send(get("/function/stream", "Connection: keep-alive", version="HTTP/1.0"))
    here.start()
    here.head((b"content-length", b"1"), (b"date", b"today"))
    here.piece(b"x")
    here.end(Ok(streamed=True))
    assert line.answer().all(b"connection") == [b"keep-alive"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_a_streamed_answer_without_a_body(method: str, status: int) -> None:
    here = Stage()
    line = stream(here, (b"content-length", b"5"), method=method, status=status)
    here.piece(b"unseen")
    here.end(Ok(streamed=True))
    assert line.answer(method.encode()).status == status
    assert line.ask(post("/function/echo", b"x")).body == b"x"


@each(
    "status, headers",
    [(200, (b"x", b"a\r\nb: c")), (200, (b"x y", b"a")), (100, (b"x", b"y")), (200, (b"content-length", b"x"))],
)
def test_a_streamed_answer_that_http_does_not_allow(status: int, headers: tuple[bytes, bytes]) -> None:
    here = Stage()
    line = stream(here, headers, status=status)
    assert error(line.answer()) == (500, "bad_response")
    assert [withdraw.running for withdraw in here.worker.withdrawn] == [True]
    here.piece(b"unseen")
    here.end(Ok(streamed=True))
    assert line.ask(post("/function/echo", b"x")).body == b"x"


def test_a_client_that_reads_slowly_slows_the_function() -> None:
    here = Stage()
    line = stream(here)
    line.is_slow = True
    here.piece(bytes(100_000))
    assert here.worker.flows == [True]
    line.read(line.unread)
    assert here.worker.flows == [True, False]
    here.piece(bytes(100_000))
    line.leave()
    assert here.worker.flows == [True, False, True, False], "nobody listens: it may finish"


def test_a_client_that_was_slow_before_the_answer_began() -> None:
    here = Stage()
    here.worker.answers["f"] = lambda request: Ok(bytes(70_000))
    line = here.connect()
    line.is_slow = True
    line.send(get("/function/stream"))
    line.connection.pause_writing()
    here.start()
    here.head()
    assert here.worker.flows == [True]


def test_an_upload_may_be_as_slow_as_its_function_allows() -> None:
    here = Stage(GatewayConfig(), revision("stream", signature=Signature.ASGI, timeout_s=1e6))
    line = upload(here, "Content-Length: 100000")
    here.pass_time(500, step_s=50)
    line.send(bytes(100_000))
    here.end()
    assert line.answer().body == b"done"
