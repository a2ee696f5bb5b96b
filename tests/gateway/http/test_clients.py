"""Clients in memory: who is too slow, who does not read, and who leaves."""

from attacca.gateway.http.asgi_adapter import Receive, Scope, Send
from attacca.model.invocation import Ok
from tests.cases import each
from tests.gateway.http.stage import Line, Stage, error
from tests.gateway.wire import CHUNKED, chunk, get, post

MB = 1 << 20


def statuses(line: Line) -> list[int]:
    return [answer.status for answer in line.answers()]


# Slow clients.


@each(
    "begun, seconds, code",
    [
        (b"GET /function/echo HTT", 11, 408),
        (post("/function/echo", b"xx")[:-1], 31, 408),
        (get("/function/echo", CHUNKED, method="POST") + b"2\r\nx", 31, 408),
        (get("/api/x", "Content-Length: 9", method="POST"), 31, 408),
    ],
)
def test_what_does_not_come_is_not_waited_for(begun: bytes, seconds: float, code: int) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()

    here = Stage(admin=app)
    line = here.connect().send(begun)
    here.pass_time(seconds - 2, step_s=1)
    assert line.answers() == []
    here.pass_time(4, step_s=1)
    assert error(line.answer()) == (code, "request_timeout")
    here.pass_time(4, step_s=1)
    assert line.is_lost
    here.is_quiet()


def test_an_idle_connection_goes_after_a_while() -> None:
    here = Stage()
    asked, silent = here.connect(), here.connect()
    here.pass_time(60, step_s=1)
    asked.ask(post("/function/echo"))
    here.pass_time(20, step_s=1)
    assert (asked.is_lost, silent.is_lost) == (False, True)
    here.pass_time(60, step_s=1)
    assert asked.is_lost


def test_a_small_refused_body_passes_by_unless_it_is_too_slow() -> None:
    here = Stage()
    line = here.connect().send(post("/function/nobody", b"x" * 100)[:-50])
    assert line.answer().status == 404
    line.send(b"x" * 50 + post("/function/echo", b"next"))
    assert line.answer().body == b"next"
    line.send(post("/function/nobody", b"x" * 100)[:-50])
    assert not line.answer().closes
    here.pass_time(40, step_s=1)
    assert line.is_lost, "it lingers, and goes"
    line = here.connect().send(get("/function/nobody", CHUNKED, method="PUT"), chunk(40_000))
    assert (line.answer().closes, line.has_ended) == (False, False)
    line.send(chunk(40_000))
    assert line.has_ended, "there is more than a little of it"
    line = here.connect().send(post("/function/nobody", b"x" * 100)[:-50], b"zz" * 20)
    line.send(b"zz" * 5 + b"nonsense")
    assert statuses(line) == [404, 400]


def test_who_does_not_read_is_left() -> None:
    here = Stage()
    here.worker.answers["f"] = lambda request: Ok(bytes(65_500))
    line = here.connect()
    line.is_slow = True
    line.send(get("/function/f") * 3)
    assert len(here.worker.dispatched) == 1, "no other is served before it has read"
    assert not line.is_read
    here.pass_time(20, step_s=1)
    line.read(1000)
    here.pass_time(20, step_s=1)
    assert not line.is_lost, "it reads"
    here.pass_time(45, step_s=1)
    assert line.is_aborted
    here.is_quiet()


def test_who_reads_too_little_of_a_large_answer_is_left() -> None:
    here = Stage()
    here.worker.answers["f"] = lambda request: Ok(bytes(5 * MB))
    line = here.connect()
    line.is_slow = True
    line.send(get("/function/f"))
    for _ in range(80):
        if not line.is_lost:
            line.read(100)
            here.pass_time(1)
    assert line.is_aborted
    here.is_quiet()


def test_who_has_read_is_served_again() -> None:
    here = Stage()
    here.worker.answers["f"] = lambda request: Ok(bytes(200_000))
    line = here.connect()
    line.is_slow = True
    line.send(get("/function/f") * 2, get("/function/echo"))
    line.read(line.unread)
    assert len(here.worker.dispatched) == 2
    line.is_slow = False
    line.read(line.unread)
    assert [len(answer.body) for answer in line.answers()] == [200_000, 200_000, 0]
    line.leave()
    here.is_quiet()


# Clients that leave.


def begin(*pieces: bytes) -> tuple[Stage, Line]:
    here = Stage()
    return here, here.connect().send(*pieces)


@each(
    "pieces",
    [
        (b"GET /func",),
        (post("/function/echo", b"xx")[:-1],),
        (post("/function/f", b"xx"),),
        (post("/function/f", b"xx"), get("/function/echo") * 1000),
        (get("/function/stream", CHUNKED, method="POST"),),
        (get("/function/nobody", "Content-Length: 5", method="POST"),),
        (get("/function/stream", CHUNKED, method="POST"), chunk(100_000)),
        (post("/function/echo", b"x") + post("/function/f", b"xx") + b"nonsense\r\n\r\n",),
    ],
)
def test_who_leaves_takes_everything_along(pieces: tuple[bytes, ...]) -> None:
    here, line = begin(*pieces)
    line.leave()
    for withdraw in here.worker.withdrawn:
        here.end(withdraw.outcome, withdraw.id)
    here.is_quiet()
    here, line = begin(*pieces)
    line.finish()
    for withdraw in here.worker.withdrawn:
        here.end(withdraw.outcome, withdraw.id)
    if here.gateway.busy():
        here.start()
        here.end()
    assert line.is_lost
    here.is_quiet()


def test_who_has_only_finished_sending_still_gets_the_answer_of_a_run() -> None:
    here, line = begin(post("/function/f", b"x"))
    here.start()
    line.finish()
    here.end(Ok(b"late"))
    assert (line.answer().body, line.is_lost) == (b"late", True)


def test_who_has_finished_sending_gets_all_that_was_asked_for() -> None:
    here, line = begin(post("/function/f", b"x") + get("/function/echo") * 3)
    here.start()
    line.finish()
    here.end()
    assert statuses(line) == [200] * 4
    assert line.is_lost


def test_who_finishes_without_reading_gets_the_rest_when_it_reads() -> None:
    here = Stage()
    here.worker.answers["f"] = lambda request: Ok(bytes(200_000))
    line = here.connect()
    line.is_slow = True
    line.send(get("/function/f") + get("/function/echo"))
    line.finish()
    assert not line.is_lost
    line.read(line.unread)
    assert statuses(line) == [200, 200]
    assert line.is_lost


def test_an_asgi_function_hears_that_its_client_may_have_left() -> None:
    here, line = begin(get("/function/stream"))
    here.start()
    line.finish()
    assert [withdraw.running for withdraw in here.worker.withdrawn] == [False]
