"""A client's connection in memory: what is held back, what is left unread, and how it all ends."""

import pytest

from attacca.gateway.config import GatewayConfig
from attacca.gateway.http.connection import HELD_MOST, TURNED_AWAY_MOST
from attacca.model.invocation import Ok
from tests.gateway.http.stage import Line, Stage, error
from tests.gateway.play import revision
from tests.gateway.wire import get, post


def statuses(line: Line) -> list[int]:
    return [answer.status for answer in line.answers()]


def test_one_request_after_the_other() -> None:
    here = Stage()
    line = here.connect()
    for body in (b"1", b"22", b"1", b""):
        answer = line.ask(post("/function/echo", body))
        assert (answer.status, answer.body, answer.all(b"x-attacca-start")) == (200, body, [b"warm"])
    line.leave()
    here.is_quiet()


@pytest.mark.long
def test_requests_are_answered_in_order_wherever_they_are_cut() -> None:
    data = b"".join(post(path, b"%d" % number) for number, path in enumerate(["/function/echo", "/function/f"] * 2))
    for cut in range(1, len(data), 7):
        here = Stage()
        line = here.connect().send(data[:cut], data[cut:])
        for number in (1, 3):
            assert here.worker.dispatched[-1].request.body == b"%d" % number
            here.start()
            here.end(Ok(b"f%d" % number))
        assert [answer.body for answer in line.answers()] == [b"0", b"f1", b"2", b"f3"]
        line.leave()
        here.is_quiet()


@pytest.mark.long
def test_a_deep_pipeline_is_held_back_and_left_unread() -> None:
    here = Stage()
    line = here.connect().send(post("/function/f", b"first"))
    count = 0
    while line.is_read:
        line.send(get("/function/echo") * 500)
        count += 500
    assert HELD_MOST < len(get("/function/echo")) * count < HELD_MOST * 2
    assert len(here.worker.dispatched) == 1
    assert repr(line.connection).startswith(
        f"<Connection {len(get('/function/echo')) * count} bytes held, <Exchange served"
    )
    here.start()
    here.end(Ok(b"done"))
    assert line.is_read
    answers = line.answers()
    assert (answers[0].body, len(answers)) == (b"done", 1 + count)
    line.leave()
    here.is_quiet()


@pytest.mark.long
def test_what_comes_behind_takes_room_too() -> None:
    here = Stage(GatewayConfig(buffers_mb=0.4, max_body_mb=0.1))
    first, second = (here.connect().send(post("/function/f")) for _ in range(2))
    names = [invocation.id for invocation in here.worker.dispatched]
    for line in (first, second):
        line.send(get("/function/echo") * 900)
    for name in names:
        here.start(name)
        here.end(None, name)
    assert statuses(first) == [200] * 901
    answered, refused = second.answers()
    assert (answered.status, error(refused), refused.closes) == (200, (503, "overloaded"), True)
    for line in (first, second):
        line.leave()
    here.is_quiet()


def test_nonsense_behind_a_request_waits_for_its_turn() -> None:
    here = Stage()
    line = here.connect().send(post("/function/f", b"x") + b"nonsense\r\n\r\n")
    assert line.answers() == []
    here.start()
    here.end()
    first, second = line.answers()
    assert (first.body, second.status, second.closes, line.has_ended) == (b"done", 400, True, True)
    assert line.send(post("/function/echo")).answers() == [], "nothing behind it is read"


def test_connection_close_and_http_1_0() -> None:
    line = Stage().connect()
    assert line.ask(post("/function/echo", b"x", "Connection: close") + get("/")).closes
    assert line.is_lost
    line = Stage().connect()
    assert line.ask(get("/function/echo", version="HTTP/1.0")).closes
    line = Stage().connect()
    for _ in range(2):
        answer = line.ask(get("/function/echo", "Connection: keep-alive", version="HTTP/1.0"))
        assert answer.all(b"connection") == [b"keep-alive"]
    assert not line.has_ended


def test_one_connection_too_many_is_told_so_and_many_are_not() -> None:
    here = Stage(GatewayConfig(max_connections=1))
    first = here.connect()
    second = here.connect()
    assert error(second.answer()) == (503, "overloaded")
    assert second.has_ended
    lines = [here.connect() for _ in range(TURNED_AWAY_MOST + 2)]
    assert [line.is_aborted for line in lines].count(True) == 3
    assert first.ask(post("/function/echo", b"x")).body == b"x"
    here.pass_time(10)
    assert all(line.is_lost for line in lines), "they do not stay"
    assert here.server.turned_away == 0
    first.leave()
    assert here.connect().ask(get("/healthz")).status == 200


# The end of the server.


def test_the_end_of_the_server() -> None:
    here = Stage()
    idle, busy, half = here.connect(), here.connect(), here.connect()
    here.pass_time(2)
    idle.ask(get("/function/echo"))
    busy.send(post("/function/f"))
    half.send(b"GET /func")
    ended = here.run(here.server.ended())
    here.do(here.server.end)
    assert (idle.is_lost, busy.is_lost, half.is_lost, ended.done()) == (True, False, False, False)
    here.start()
    here.end()
    assert busy.answer().closes
    half.leave()
    assert ended.done()
    assert repr(here.server).startswith("<HttpServer 0 connections, 0 turned away")


def test_who_has_only_just_come_is_answered_at_the_end_too() -> None:
    here = Stage()
    comes, silent = here.connect(), here.connect()
    here.do(here.server.end)
    ended = here.run(here.server.ended(grace_s=10))
    here.pass_time(1)
    answer = comes.ask(post("/function/echo", b"still"))
    assert (answer.body, answer.closes, silent.is_lost) == (b"still", True, False)
    here.pass_time(3)
    assert (silent.is_lost, silent.is_aborted, ended.done()) == (True, False, True)


def test_what_runs_has_its_time_at_the_end() -> None:
    here = Stage()
    line = here.connect().send(post("/function/f"))
    here.start()
    here.do(here.server.end)
    ended = here.run(here.server.ended(grace_s=10))
    here.pass_time(9)
    assert not ended.done()
    here.end(Ok(b"late"))
    assert (line.answer().body, ended.done()) == (b"late", True)


def test_those_that_do_not_go_are_dropped() -> None:
    here = Stage()
    line = here.connect().send(b"GET /func")
    here.do(here.server.end)
    ended = here.run(here.server.ended())
    here.pass_time(3, step_s=0.5)
    assert (line.is_aborted, ended.done()) == (True, True)


def test_a_server_without_connections_ends_at_once_or_with_its_sweep() -> None:
    here = Stage()
    here.do(here.server.end)
    assert here.run(here.server.ended()).done()
    here = Stage()
    here.listening.close()
    here.pass_time(2)
    assert here.run(here.server.ended()).done()


def test_draining_refuses_and_closes() -> None:
    here = Stage()
    line, idle = here.connect(), here.connect()
    here.do(here.gateway.drain)
    answer = line.ask(post("/function/echo"))
    assert (error(answer), answer.closes) == ((503, "draining"), True)
    early = here.connect()
    assert early.ask(post("/function/echo", b"xx")[:-1]).closes
    here.pass_time(4)
    assert idle.is_lost
    waits = Stage()
    line = waits.connect().send(post("/function/f", b"x"))
    waits.do(waits.gateway.drain)
    waits.start()
    waits.end()
    assert line.answer().closes


def test_who_waits_too_long_for_a_sandbox_is_told() -> None:
    here = Stage(None, revision("f", wait_s=0.01))
    line = here.connect().send(post("/function/f"))
    here.pass_time(1)
    assert error(line.answer()) == (504, "timeout")


def test_what_comes_while_an_answer_is_owed_waits() -> None:
    here = Stage()
    line = here.connect().send(post("/function/f"), get("/function/echo"))
    assert len(here.worker.dispatched) == 1
    here.start()
    here.end()
    assert statuses(line) == [200, 200]


def test_a_known_request_behind_half_a_word_is_no_request() -> None:
    here = Stage()
    line = here.connect()
    for _ in range(3):
        assert line.ask(post("/function/echo", b"x")).status == 200
    line.send(b"G", post("/function/echo", b"x"))
    assert error(line.answer()) == (400, "bad_request")
    assert len(here.worker.dispatched) == 3


def test_a_head_has_its_time_however_long_nothing_came_before() -> None:
    here = Stage()
    line = here.connect()
    here.pass_time(60, step_s=1)
    line.send(b"GET /func")
    here.pass_time(8, step_s=1)
    assert line.send(get("/function/echo").removeprefix(b"GET /func")).answer().status == 200


def test_answers_have_the_date_of_their_second() -> None:
    here = Stage()
    line = here.connect()
    dates = []
    for _ in range(3):
        dates += line.ask(post("/function/echo")).all(b"date")
        here.pass_time(1)
    assert len(set(dates)) == 3
