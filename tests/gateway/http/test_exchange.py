"""Requests and answers in memory: bodies that are collected, streamed and refused, and answers in every form."""

import pytest

from attacca.gateway.config import GatewayConfig
from attacca.model.invocation import Ok
from attacca.model.messages import Flow
from tests.cases import each
from tests.gateway.http.stage import Line, Stage, error
from tests.gateway.wire import CHUNKED, chunk, get, post

KB, MB = 1 << 10, 1 << 20
LARGE = 300_000
TIGHT = GatewayConfig(buffers_mb=16, max_body_mb=4)  # room for one large body of a function, and two of all
EXPECTS = "Expect: 100-continue"


def invited(line: Line) -> bool:
    return line.out.endswith(b"HTTP/1.1 100 Continue\r\n\r\n")


# Bodies that are collected.


@pytest.mark.parametrize("size", [1, 20_000, 70_000, LARGE])
@pytest.mark.parametrize("framing", ["", CHUNKED])
def test_a_body_that_comes_in_pieces_is_whole(size: int, framing: str) -> None:
    here = Stage()
    line = here.connect()
    if framing:
        data = get("/function/echo", framing, method="POST") + chunk(size) + b"0\r\n\r\n"
    else:
        data = post("/function/echo", bytes(size))
    line.send(data[:90], *(data[at : at + 10_000] for at in range(90, len(data), 10_000)))
    assert len(line.answer().body) == size
    assert line.ask(post("/function/echo", b"next")).body == b"next"
    line.leave()
    here.is_quiet()


def test_the_room_of_a_body_is_taken_until_its_invocation_is_over() -> None:
    here = Stage()
    line = here.connect().send(
        *[post("/function/f", bytes(LARGE))[at : at + 50_000] for at in range(0, LARGE + 99, 50_000)]
    )
    assert here.server.rooms.bodies.held == LARGE
    assert repr(line.connection.exchange).startswith("<Exchange served, ")
    here.start()
    here.end()
    assert here.server.rooms.bodies.held == 0


def test_room_that_a_chunked_body_did_not_need_is_given_back() -> None:
    here = Stage(TIGHT)
    line = here.connect().send(get("/function/f", CHUNKED, method="POST"), *[chunk(60_000)] * 3)
    assert here.server.rooms.bodies.held == 4 * MB
    line.send(b"0\r\n\r\n")
    assert here.server.rooms.bodies.held == 180_000
    here.start()
    here.end()
    assert here.server.rooms.bodies.held == 0


def test_who_waits_to_be_invited_and_is_not_may_not_go_on() -> None:
    for lines, closes in (((), False), ((EXPECTS,), True)):
        line = Stage().connect().send(get("/function/nobody", "Content-Length: 5", *lines, method="POST"))
        assert (line.answer().closes, line.has_ended) == (closes, closes)


@each(
    "data, code",
    [
        (post("/function/echo", bytes(5 * MB))[:200], (413, "payload_too_large")),
        (get("/function/echo", "Content-Length: 1e3", method="POST"), (400, "bad_request")),
        (post("/function/nobody", bytes(9 * KB))[:100], (404, "not_found")),
        (post("/function/nobody", bytes(MB))[:100], (404, "not_found")),
        (post("/function/echo", bytes(MB), "Origin: http://evil.example")[:150], (403, "forbidden")),
        (get("/function/nobody", CHUNKED, EXPECTS, method="POST"), (404, "not_found")),
    ],
)
def test_a_body_that_nobody_wants_is_refused_before_it_comes(data: bytes, code: tuple[int, str]) -> None:
    here = Stage(TIGHT)
    line = here.connect().send(data)
    assert error(line.answer()) == code
    assert here.worker.dispatched == []
    line.leave()
    here.is_quiet()


def test_a_body_that_turns_out_too_large() -> None:
    here = Stage(GatewayConfig(max_body_mb=0.1))
    line = here.connect().send(get("/function/echo", CHUNKED, method="POST"), *[chunk(30_000)] * 5)
    answer = line.answer()
    assert (error(answer), answer.closes) == ((413, "payload_too_large"), True)
    here = Stage(GatewayConfig(max_body_mb=10 / MB))
    line = here.connect()
    assert [line.ask(post("/function/echo", bytes(size))).status for size in (10, 11, 10)] == [200, 413, 200]


def test_who_waits_to_be_invited_is_invited_once() -> None:
    here = Stage()
    line = here.connect().send(post("/function/echo", b"hi", EXPECTS)[:-2])
    assert invited(line)
    assert line.ask(b"hi").body == b"hi"
    assert line.ask(post("/function/echo", b"hi", EXPECTS)).body == b"hi", "it did not wait"
    line.send(get("/function/stream", CHUNKED, EXPECTS, method="POST"))
    assert invited(line)


def test_a_body_waits_for_room_and_is_not_read_meanwhile() -> None:
    here = Stage(TIGHT)
    head = get("/function/echo", f"Content-Length: {4 * MB}", method="POST")
    first = here.connect().send(head + b"x")
    second = here.connect().send(get("/function/echo", f"Content-Length: {4 * MB}", EXPECTS, method="POST"))
    assert (first.is_read, second.is_read, invited(second)) == (True, False, False)
    assert "waiting" in repr(second.connection.exchange)
    first.leave()
    assert (second.is_read, invited(second)) == (True, True)
    second.send(bytes(2 * MB), bytes(2 * MB))
    assert len(second.answer().body) == 4 * MB
    second.leave()
    here.is_quiet()


@pytest.mark.parametrize("leaves", [True, False])
def test_a_body_that_gets_no_room(*, leaves: bool) -> None:
    here = Stage(TIGHT)
    head = get("/function/echo", f"Content-Length: {4 * MB}", method="POST")
    first = here.connect()
    first.send(head + b"x")
    second = here.connect().send(head + b"x")
    if leaves:
        second.leave()
    else:
        for _ in range(40):
            first.send(bytes(80_000))
            here.pass_time(1)
        assert error(second.answer()) == (503, "overloaded")
    first.leave()
    here.pass_time(5)
    here.is_quiet()


def test_who_would_wait_for_more_than_there_ever_is_is_refused() -> None:
    here = Stage(TIGHT)
    here.server.rooms.pieces.share = 1000
    line = here.connect().send(post("/function/echo", bytes(2000))[:-1000])
    assert error(line.answer()) == (503, "overloaded")


# Bodies that are streamed.


def upload(here: Stage, *headers: str, start: bool = True) -> Line:
    line = here.connect().send(get("/function/stream", *headers, method="POST"))
    if start:
        here.start()
    return line


def uploaded(here: Stage) -> bytes:
    return here.worker.dispatched[-1].request.body + b"".join(body.data for body in here.worker.bodies)


def test_a_large_body_is_streamed_once_a_sandbox_has_it() -> None:
    here = Stage()
    data = bytes(range(256)) * (LARGE // 256)
    line = upload(here, f"Content-Length: {len(data)}", start=False)
    line.send(data[:50_000])
    assert (here.worker.bodies, line.is_read) == ([], False)
    assert repr(line.connection.exchange.sink) == f"<Upload of {here.last}, full>"
    here.start()
    assert repr(line.connection.exchange.sink) == f"<Upload of {here.last}, open>"
    line.send(data[50_000:])
    assert uploaded(here) == data
    assert here.worker.bodies[-1].last
    here.end()
    assert line.answer().body == b"done"
    assert line.ask(post("/function/echo", b"x")).body == b"x"
    line.leave()
    here.is_quiet()


def test_a_slow_reader_in_the_sandbox_slows_the_client() -> None:
    here = Stage()
    line = upload(here, CHUNKED)
    here.do(here.gateway.receive, Flow(here.last, paused=True))
    line.send(chunk(1000))
    assert (line.is_read, uploaded(here)) == (False, b"")
    here.do(here.gateway.receive, Flow(here.last, paused=False))
    assert (line.is_read, len(uploaded(here))) == (True, 1000)
    here.do(here.gateway.receive, Flow("nobody", paused=False))


def test_what_comes_behind_a_stream_that_nobody_takes_has_no_room() -> None:
    here = Stage(GatewayConfig(buffers_mb=0.4, max_body_mb=0.1))
    line = upload(here, CHUNKED, start=False)
    line.send(chunk(100_000))
    assert error(line.answer()) == (503, "overloaded")
    assert here.worker.withdrawn[0].running


@pytest.mark.parametrize(("rest", "status"), [(b"zz\r\n", 400), (chunk(0x20000), 413)])
def test_a_stream_that_cannot_be_finished(rest: bytes, status: int) -> None:
    for has_head in (False, True):
        here = Stage(GatewayConfig(max_stream_mb=0.1))
        line = upload(here, CHUNKED)
        if has_head:
            here.head()
        line.send(b"3\r\none\r\n" + rest)
        if has_head:
            assert line.is_aborted
        else:
            answer = line.answer()
            assert (answer.status, answer.closes) == (status, True)
            assert answer.all(b"x-attacca-invocation-id") == [here.last.encode()]
        assert here.worker.withdrawn[0].running
        assert [call.status for call in here.calls] == [status]


def test_an_answer_before_the_end_of_the_body_ends_the_connection() -> None:
    here = Stage()
    line = upload(here, f"Content-Length: {LARGE}")
    here.end(Ok(b"enough"))
    answer = line.answer()
    assert (answer.body, answer.closes, line.has_ended) == (b"enough", True, True)
    here = Stage()
    line = upload(here, CHUNKED)
    here.head()
    here.end(Ok(streamed=True))
    assert line.has_ended


def test_both_directions_at_once() -> None:
    here = Stage()
    line = upload(here, CHUNKED)
    here.head()
    assert "<Exchange both" in repr(line.connection)
    line.send(chunk(4))
    here.piece(b"four")
    line.send(b"0\r\n\r\n")
    assert "<Exchange answering" in repr(line.connection)
    here.end(Ok(streamed=True))
    assert line.answer().body == b"four"
    assert line.ask(post("/function/echo", b"x")).body == b"x"


def test_who_leaves_in_the_middle_of_a_body_ends_the_run() -> None:
    for has_head in (False, True):
        here = Stage()
        line = upload(here, CHUNKED)
        if has_head:
            here.head()
        line.leave()
        assert [withdraw.running for withdraw in here.worker.withdrawn] == [True]
