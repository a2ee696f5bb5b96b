"""The addresses of calls whose answers are fetched later, and keys of requests, in memory."""

from typing import Any

import msgspec
import pytest

from attacca.errors import StateUnavailable
from attacca.gateway.async_calls import AsyncCalls
from attacca.gateway.config import AsyncConfig, GatewayConfig
from attacca.gateway.http.async_routes import AsyncRoutes, readable, status
from attacca.io.exposition import Form
from attacca.io.journal.memory import Book, MemoryJournal
from attacca.io.journal.types import Told
from attacca.kernel.rand import Streams
from attacca.model.async_call import AsyncCall, Record, State, Unwritten, Write
from attacca.model.function import AsyncSettings, Signature
from attacca.model.invocation import Failed, FunctionError, Ok, Outcome
from tests.cases import each
from tests.fuzz.reading import Answer
from tests.gateway.http.stage import Line, Stage, error
from tests.gateway.play import revision
from tests.gateway.wire import get, post

JSON = "Content-Type: application/json"
KEY = 'Idempotency-Key: "one"'


class Failing(MemoryJournal):
    """One that writes nothing while its disk is full."""

    is_full = False

    def write(self, write: Write, told: Told) -> None:
        if self.is_full:
            self._soon(lambda: told(Unwritten(StateUnavailable("the disk is full"))))
        else:
            super().write(write, told)


class Later(Stage):
    """A stage with a journal."""

    def __init__(self, config: GatewayConfig | None = None, **more: Any) -> None:
        narrow, stream = AsyncSettings(queue=2), Signature.ASGI
        functions = (revision("echo"), revision("f", async_=narrow), revision("stream", signature=stream))
        config = config or GatewayConfig()
        super().__init__(config, *functions, **more)
        self.journal = Failing(Book(), "me", self.clock, self.loop.call_soon)
        self.later = AsyncCalls(self.gateway, self.journal, config.async_, self.clock, Streams(1).stream("async"))
        self.server.serve_later(self.later)
        self.do(self.later.open)

    def ask(self, request: bytes) -> Answer:
        return self.connect().ask(request)

    def call(self, name: str = "echo", *fields: str, body: bytes = b"{}") -> str:
        answer = self.ask(post(f"/async-function/{name}", body, *fields))
        assert answer.status == 202, answer
        return str(said(answer)["id"])


def said(answer: Answer) -> Any:
    return msgspec.json.decode(answer.body)


def field(answer: Answer, name: bytes) -> bytes | None:
    return dict(answer.fields).get(name)


def test_a_call_is_accepted_made_and_shown() -> None:
    here = Later()
    routes = AsyncRoutes(here.later, hides_token=False)
    assert repr(routes).startswith("<AsyncRoutes to <AsyncCalls 0 not over, 0 running, ")
    answer = here.ask(post("/async-function/echo/a/b?c=d", b'{"n": 1}', JSON).replace(b"POST", b"PUT"))
    call = said(answer)["id"]
    assert (answer.status, said(answer)) == (202, {"id": call, "function": "echo", "status": "waiting"})
    assert field(answer, b"location") == b"/calls/" + call.encode()
    request = here.worker.dispatched[-1].request
    assert (request.method, request.path, request.query, request.body) == ("PUT", "/a/b", "c=d", b'{"n": 1}')
    shown = said(here.ask(get(f"/calls/{call}")))
    assert (shown["status"], shown["result"]) == (
        "done",
        {"status": 200, "content_type": "application/json", "body": {"n": 1}},
    )
    result = here.ask(get(f"/calls/{call}/result"))
    assert (result.status, result.body, field(result, b"x-attacca-call-id")) == (200, b'{"n": 1}', call.encode())
    assert field(result, b"x-attacca-invocation-id") == f"{call}.1".encode()
    assert repr(here.later).startswith("<AsyncCalls 0 not over, 0 running, <MemoryJournal 1 calls")


def test_one_that_waits_for_the_end_hears_of_it_at_once() -> None:
    here = Later()
    call = here.call("f")
    waiting = here.connect().send(get(f"/calls/{call}?wait=10"))
    assert waiting.answers(b"GET") == []
    assert said(here.ask(get(f"/calls/{call}")))["status"] == "running"
    assert here.ask(get(f"/calls/{call}/result")).status == 202
    here.start(f"{call}.1")
    here.end(Ok(b"done", "text/plain"), f"{call}.1")
    assert said(waiting.answer())["result"] == {"status": 200, "content_type": "text/plain", "text": "done"}


def test_one_that_waits_hears_in_time_that_it_is_not_over() -> None:
    here = Later()
    call = here.call("f")
    waiting = here.connect().send(get(f"/calls/{call}?wait=2"))
    here.pass_time(3, step_s=0.1)
    assert said(waiting.answer())["status"] == "running"


def test_one_that_goes_away_while_it_waits_leaves_nothing() -> None:
    here = Later()
    call = here.call("f")
    waiting = here.connect().send(get(f"/calls/{call}?wait=30"))
    waiting.leave()
    here.start(f"{call}.1")
    here.end(None, f"{call}.1")
    here.pass_time(1)
    assert here.gateway.busy() == 0
    assert here.later._waiters == {}


@each(
    "request_bytes, code",
    [
        (post("/async-function/nobody", b"{}"), "not_found"),
        (get("/async-function/echo", method="HEAD"), "method_not_allowed"),
        (get("/async-function/echo", method="OPTIONS"), "method_not_allowed"),
        (post("/async-function/echo", b"{}", "X-Attacca-Callback-Url: http://10.1.2.3/"), "bad_request"),
        (post("/async-function/echo", b"{}", "Idempotency-Key:"), "bad_request"),
        (post("/async-function/echo", b"{}", "Idempotency-Key: " + "x" * 256), "bad_request"),
        (post("/async-function/echo", b"{}", KEY, KEY), "bad_request"),
        (post("/async-function/echo", b"{}", "Origin: https://evil.example"), "forbidden"),
        (post("/function/echo", b"{}", KEY, "Origin: https://evil.example"), "forbidden"),
        (post("/function/echo", b"{}", 'Idempotency-Key: ""'), "bad_request"),
        (get("/calls/"), "not_found"),
        (get("/calls/..%2fapi"), "not_found"),
        (get(f"/calls/{'0' * 32}"), "not_found"),
        (get(f"/calls/{'0' * 32}/result"), "not_found"),
        (get(f"/calls/{'0' * 32}/more"), "not_found"),
        (get(f"/calls/{'0' * 32}", method="DELETE"), "not_found"),
        (get(f"/calls/{'0' * 32}/result", method="DELETE"), "method_not_allowed"),
        (get(f"/calls/{'0' * 32}?wait=-1"), "bad_request"),
        (get(f"/calls/{'0' * 32}?wait=nan"), "bad_request"),
        (get(f"/calls/{'0' * 32}?wait=1", "Origin: https://evil.example"), "forbidden"),
    ],
)
def test_what_makes_no_sense_is_refused(request_bytes: bytes, code: str) -> None:
    here = Later()
    answer = here.ask(request_bytes)
    method = request_bytes.split(b" ")[0]
    assert answer.status == 405 if method == b"HEAD" else error(answer).code == code
    assert here.journal.book.records == {}


def test_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    here = Later(GatewayConfig(max_body_mb=0.1))
    head = b"POST /async-function/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n"
    assert error(here.ask(head)).code == "payload_too_large"
    assert error(here.ask(post("/async-function/echo", b"x" * 150_000))).code == "payload_too_large"


def test_a_large_body_is_collected_also_for_one_that_takes_streams() -> None:
    here = Later()
    body = b"x" * 300_000
    head = f"POST /async-function/stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    line = here.connect().send(head, body[:100_000], body[100_000:])
    assert line.answer().status == 202
    sent = here.worker.dispatched[-1].request
    assert (sent.body, sent.more) == (body, False)
    fields = dict(sent.headers)
    assert fields[b"x-attacca-attempt"] == b"1"
    assert len(fields[b"x-attacca-call-id"]) == 32
    here.start()
    here.head((b"content-type", b"text/plain"), status=201)
    here.piece(b"a")
    here.piece(b"b")
    here.end(Ok(streamed=True))
    (record,) = here.journal.book.records.values()
    assert record.outcome == Ok(b"ab", "", 201, ((b"content-type", b"text/plain"),))


def test_an_answer_that_is_too_large_ends_its_call() -> None:
    here = Later(GatewayConfig(async_=AsyncConfig(max_answer_mb=0.001)))
    call = here.call("stream")
    here.start(f"{call}.1")
    here.head()
    here.piece(b"x" * 2000)
    here.piece(b"y" * 2000)
    shown = said(here.ask(get(f"/calls/{call}")))
    assert (shown["status"], shown["result"]["error"]["code"]) == ("dead", "response_too_large")
    assert here.gateway.busy() == 0
    here.worker.answers["echo"] = lambda _: Ok(b"x" * 2000)
    assert said(here.ask(get(f"/calls/{here.call()}")))["status"] == "dead"


def test_the_metrics_count_them() -> None:
    here = Later()
    here.call()
    here.call("f")
    here.worker.answers["stream"] = lambda _: FunctionError("E", "no")
    here.call("stream")
    text = here.gateway.metrics(Form.TEXT)().decode()
    for line in (
        'faas_async_accepted_total{faas_name="echo"} 1.0', 'faas_async_ended_total{faas_name="echo",state="done"} 1.0',
        'faas_async_pending{faas_name="f"} 1.0', 'faas_async_running{faas_name="f"} 1.0',
        'faas_async_failures_total{faas_name="stream"} 1.0',
    ):  # fmt: skip
        assert line in text, text


def test_a_full_queue_says_when_to_come_back() -> None:
    here = Later()
    here.call("f")
    here.call("f")
    answer = here.ask(post("/async-function/f", b"{}"))
    assert (error(answer).code, field(answer, b"retry-after")) == ("queue_full", b"1")


def test_a_disk_that_is_full_is_told_and_what_ran_is_answered_all_the_same() -> None:
    here = Later()
    here.journal.is_full = True
    assert error(here.ask(post("/async-function/echo", b"{}"))).code == "state_unavailable"
    assert error(here.ask(post("/function/echo", b"{}", KEY))).code == "state_unavailable"
    here.journal.is_full = False
    line = here.connect().send(post("/function/f", b"{}", KEY))
    here.start()
    here.journal.is_full = True
    here.end(Ok(b"ran"))
    assert line.answer().body == b"ran"


def test_one_is_cancelled_and_its_attempt_withdrawn() -> None:
    here = Later()
    call = here.call("f")
    here.start(f"{call}.1")
    answer = here.ask(get(f"/calls/{call}", method="DELETE"))
    assert (answer.status, said(answer)) == (200, {"id": call, "status": "cancelled"})
    assert [one.id for one in here.worker.withdrawn] == [f"{call}.1"]
    assert said(here.ask(get(f"/calls/{call}")))["status"] == "cancelled"
    assert error(here.ask(get(f"/calls/{call}/result"))).code == "not_found"
    assert error(here.ask(get(f"/calls/{call}", method="DELETE"))).code == "conflict"
    here.end(None, f"{call}.1")
    assert here.gateway.busy() == 0


def test_a_key_is_done_once_and_pipelined_requests_keep_their_order() -> None:
    here = Later()
    line = here.connect().send(
        post("/function/echo", b'{"n":1}', KEY, JSON) + get("/healthz") + post("/function/echo", b'{"n":1}', KEY, JSON)
    )
    first, health, second = line.answers(b"POST", b"GET", b"POST")
    assert (first.body, health.status, second.body) == (b'{"n":1}', 200, b'{"n":1}')
    assert field(first, b"idempotency-replayed") is None
    assert field(second, b"idempotency-replayed") == b"true"
    assert field(first, b"x-attacca-invocation-id") == field(second, b"x-attacca-invocation-id")
    assert len(here.worker.dispatched) == 1
    assert error(here.ask(post("/function/echo", b'{"n":2}', KEY, JSON))).code == "key_reused"
    assert here.ask(post("/function/echo", b'{"n":1}', "Idempotency-Key: one", JSON)).status == 200, (
        "quotes do not count"
    )
    assert len(here.worker.dispatched) == 1


def test_keys_of_other_callers_and_functions_are_others() -> None:
    proxied = "X-Forwarded-For: 9.9.9.9"
    here = Later()
    for name, fields in (("echo", ()), ("echo", (proxied,)), ("echo", ("Authorization: Bearer a",)), ("f", ())):
        here.connect().send(post(f"/function/{name}", b"{}", KEY, *fields))
    assert len(here.worker.dispatched) == 4


def test_a_key_in_use_is_a_conflict() -> None:
    here = Later()
    first = here.connect().send(post("/function/f", b"{}", KEY))
    assert error(here.ask(post("/function/f", b"{}", KEY))).code == "conflict"
    here.start()
    here.end(FunctionError("ValueError", "no"))
    assert error(first.answer()).code == "function_error"
    again = here.ask(post("/function/f", b"{}", KEY))
    assert (error(again).code, field(again, b"idempotency-replayed")) == ("function_error", b"true")


def test_a_client_that_goes_away_gets_its_answer_with_the_next() -> None:
    here = Later()
    line: Line = here.connect().send(post("/function/f", b"{}", KEY))
    line.leave()
    here.start()
    here.end(Ok(b"ran"))
    assert here.ask(post("/function/f", b"{}", KEY)).body == b"ran"
    assert here.gateway.busy() == 0


def test_a_key_means_nothing_where_nothing_is_done_twice() -> None:
    here = Later()
    for _ in range(2):
        here.ask(get("/function/echo", KEY))
    assert len(here.worker.dispatched) == 2
    assert here.journal.book.records == {}


def test_without_a_journal_nothing_of_it_is_there() -> None:
    here = Stage()
    assert error(here.connect().ask(post("/async-function/echo", b"{}"))).code == "not_found"
    assert here.connect().ask(post("/function/echo", b"{}", KEY)).status == 200


def test_a_token_of_the_servers_own_is_not_kept() -> None:
    here = Later(GatewayConfig(host="0.0.0.0"), allow=lambda shown: shown == b"Bearer right")
    here.call("stream", "Authorization: Bearer right", "X-One: 1")
    (record,) = here.journal.book.records.values()
    assert record.request is not None
    assert b"authorization" not in dict(record.request.headers)
    assert dict(record.request.headers)[b"x-one"] == b"1"
    assert error(here.ask(post("/async-function/stream", b"{}"))).code == "unauthorized"


@each(
    "body, kind, shown",
    [
        (b'{"a": 1}', "application/json; charset=utf-8", b'{"body":{"a": 1}}'),
        (b"{", "application/json", b'{"text":"{"}'),
        (b"\xff", "image/png", b'{"base64":"/w=="}'),
        ("é".encode(), "text/plain", '{"text":"é"}'.encode()),
    ],
)
def test_an_answer_is_shown_as_what_it_is(body: bytes, kind: str, shown: bytes) -> None:
    assert msgspec.json.encode(readable(body, kind)) == shown


@pytest.mark.parametrize("outcome", [None, Ok(), FunctionError("E", "m"), Failed("timeout", "late", "wait")])
@pytest.mark.parametrize("state", list(State))
def test_every_state_is_shown(state: State, outcome: Outcome | None) -> None:
    call = AsyncCall(id="a", function="f", at=1.0, state=state, why="so", callback="http://x/", due=2.0)
    shown = status(Record(call, None, outcome), is_running=False)
    assert msgspec.json.decode(msgspec.json.encode(shown))["status"] == state.value
    assert ("due" in shown) == (state is State.WAITING)
