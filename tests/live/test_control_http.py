"""The admin API, called as an ASGI application, over a control plane with a check that takes everything."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attacca.control.config import ControlConfig
from attacca.control.driver import Control
from attacca.control.http.app import AsgiApp, admin
from attacca.io.archive import pack
from attacca.io.journal.memory import Book, MemoryJournal
from attacca.io.store.memory import MemoryStore
from attacca.kernel.access import Door
from attacca.kernel.clock import ManualClock
from attacca.kernel.rand import Streams
from attacca.model.function import Revision
from attacca.model.invocation import Call, Start, Timing
from attacca.model.log import LogLine
from attacca.model.messages import Checked, Evict, Prewarm
from attacca.model.resources import Resources
from attacca.model.sandbox import FunctionView, WorkerView
from attacca.model.story import Moment
from tests.control.peers import WorkerPeer

OWNER = 1000
JSON = {"content-type": "application/json"}
LINE = LogLine(1.0, 1, "s1", "i1", "stdout", "hello")
CALL = Call(
    id="i1", function="hello", revision=1, at=1.0, status=200, outcome="ok", start=Start.COLD, why="first",
    sandbox="s1", timing=Timing(run=2.0), total_ms=3.0,
)  # fmt: skip


class Watched:
    """The other planes, as far as the API sees them."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.readers = 0
        self.journal = MemoryJournal(Book(), "watched", ManualClock())

    async def workers(self, _: str | None = None) -> Sequence[WorkerView]:
        views = (FunctionView(function="hello", invocations=7),)
        return [
            WorkerView(
                name="w1", capacity=Resources(1024), used=Resources(64), queued=0, running=0, limit=4, functions=views
            )
        ]

    async def story(self, subject: str) -> Sequence[Moment]:
        return [Moment(5.0, "gateway", "arrived at the gateway", "hello")] if subject == CALL.id else []

    async def calls(self, function: str | None, limit: int, call: str = "") -> Sequence[Call]:
        self.asked.append((function, limit))
        return [CALL]

    async def logs(self, function: str, since_s: float | None, follow: bool) -> AsyncIterator[LogLine]:  # noqa: FBT001
        self.asked.append((function, since_s, follow))
        self.readers += 1
        try:
            yield LINE
            if follow:
                await asyncio.Event().wait()
        finally:
            self.readers -= 1

    def info(self) -> dict[str, Any]:
        return {"version": "0"}


class Answer(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


class Page:
    """Speaks ASGI to the application."""

    def __init__(self, app: AsgiApp, watched: Watched, control: Control, worker: WorkerPeer) -> None:
        self.app, self.watched, self.control, self.worker = app, watched, control, worker

    async def ask(
        self, method: str, path: str, body: bytes = b"", leave_after: bytes | None = None, **more: Any
    ) -> Answer:
        """`leave_after`: the client goes away when it has seen this."""
        uid = more.pop("peer_uid", OWNER)
        headers = {"host": "localhost:8080", "content-length": str(len(body)), **more.pop("headers", {})}
        route, _, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": route, "raw_path": route.encode(), "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080),
            "state": {"peer_uid": lambda: uid},
        }  # fmt: skip
        answer, inbox, left = Answer(0, {}, b""), [body], asyncio.Event()

        async def receive() -> dict[str, Any]:
            if inbox:
                return {"type": "http.request", "body": inbox.pop(), "more_body": False}
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer.body += message.get("body", b"")
                is_seen = leave_after is not None and leave_after in answer.body
                if is_seen or not message.get("more_body", False):
                    left.set()

        await self.app(scope, receive, send)
        return answer

    async def deploy(self, directory: Path, settings: object = None, **fields: str) -> Answer:
        fields = {"settings": json.dumps(settings or {"name": "hello"}), **fields}
        body, kind = form(fields, pack(directory))
        return await self.ask("POST", "/api/functions", body, headers={"content-type": kind})

    async def post(self, path: str, payload: object) -> Answer:
        return await self.ask("POST", path, json.dumps(payload).encode(), headers=JSON)


def form(fields: dict[str, str], code: bytes | None) -> tuple[bytes, str]:
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    if code is not None:
        parts.append(b'name="code"; filename="code.tar.gz"\r\nContent-Type: application/gzip\r\n\r\n' + code)
    body = b"".join(b"--frontier\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
    return body + b"--frontier--\r\n", "multipart/form-data; boundary=frontier"


def story(directory: Path, play: Callable[[Page], Awaitable[None]], *, is_loopback: bool = True) -> None:
    async def main() -> None:
        async def check(revision: Revision) -> Checked:
            found = msgspec.structs.replace(revision, handler="main:hello")
            return Checked("1", found, logs="imported", timing=Timing(imports=1.5))

        clock = ManualClock(50.0)
        config = ControlConfig(state_dir=directory / "state", runs_dir=directory / "runs")
        worker = WorkerPeer(check)
        control = Control(
            config, MemoryStore(clock), clock, worker.send, lambda _: None, chance=Streams(1).stream("placement")
        )
        await control.open()
        worker.join(control)
        watched = Watched()
        app = admin(control, watched, Door(OWNER, is_loopback))
        await play(Page(app, watched, control, worker))  # type: ignore[arg-type]
        await control.close()

    (directory / "code").mkdir()
    (directory / "code" / "main.txt").write_text("x")
    asyncio.run(main())


def test_a_function_from_deploy_to_delete(tmp_path: Path) -> None:
    async def play(page: Page) -> None:
        answer = await page.deploy(tmp_path / "code")
        assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
        assert [line.get("step") for line in answer.lines] == ["unpack", "check", "log", None]
        done = answer.lines[-1]["done"]
        assert done == {
            "function": "hello", "revision": 1, "handler": "main:hello", "signature": "event_context",
            "event": "plain", "imports_ms": 1.5, "replaced": None, "changes": ["new function"],
        }  # fmt: skip
        await page.deploy(tmp_path / "code", {"name": "hello", "memory_mb": 256})
        [row] = (await page.ask("GET", "/api/functions")).json
        assert (row["function"], row["revision"], row["memory_mb"]) == ("hello", 2, 256)
        detail = (await page.ask("GET", "/api/functions/hello")).json
        assert detail["settings"]["memory_mb"] == 256
        assert detail["statistics"]["invocations"] == 7
        assert [one["changes"] for one in detail["revisions"]] == [["memory_mb: 128 -> 256"], ["new function"]]
        back = await page.post("/api/functions/hello/rollback", {"to": None})
        assert (back.status, back.json["revision"], back.json["replaced"]) == (200, 1, 2)
        gone = await page.ask("DELETE", "/api/functions/hello")
        assert (gone.status, gone.body) == (204, b"")
        assert (await page.ask("GET", "/api/functions")).json == []

    story(tmp_path, play)


def test_errors_have_one_shape(tmp_path: Path) -> None:
    async def play(page: Page) -> None:
        await page.deploy(tmp_path / "code")
        answers = {
            "not_found 404": await page.ask("GET", "/api/functions/helo"),
            "not_found 404 ": await page.ask("GET", "/api/nothing"),
            "method_not_allowed 405": await page.ask("PUT", "/api/functions"),
            "bad_request 400": await page.post("/api/functions/hello/rollback", {"to": "x"}),
            "bad_request 400 ": await page.post("/api/functions/hello/rollback", {"unknown": 1}),
            "bad_request 400  ": await page.ask("GET", "/api/calls?limit=zero"),
            "bad_request 400   ": await page.ask("GET", "/api/calls?limit=0"),
            "bad_request 400    ": await page.post("/api/functions/hello/prewarm", {"count": 0}),
            "bad_request 400     ": await page.ask("POST", "/api/tokens", b"{", headers=JSON),
            "not_found 404  ": await page.post("/api/functions/nobody/prewarm", {"count": 1}),
            "not_found 404   ": await page.ask("DELETE", "/api/tokens/none"),
            "not_found 404    ": await page.ask("GET", "/api/functions/nobody/logs"),
        }  # fmt: skip
        for expected, answer in answers.items():
            error = answer.json["error"]
            assert f"{error['code']} {answer.status}" == expected.strip(), answer.body
            assert error["message"]
            assert error["try"]
            assert answer.headers["content-type"] == "application/json"
        assert "did you mean hello?" in answers["not_found 404"].json["error"]["try"]
        assert "limit" in answers["bad_request 400  "].json["error"]["message"]

    story(tmp_path, play)


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"settings": "{"}, b"x", "settings"),
        ({"settings": '{"name": "Bad Name"}'}, b"x", "name"),
        ({"settings": '{"name": "a", "memory": 1}'}, b"x", "memory"),
        ({"settings": '{"name": "a", "memory_mb": 1}'}, b"x", "memory_mb"),
        ({"settings": '{"name": "a", "min_sandboxes": 2, "max_sandboxes": 1}'}, b"x", "min_sandboxes"),
        ({"settings": '{"name": "a"}', "allow_source_builds": "perhaps"}, b"x", "allow_source_builds"),
        ({"settings": '{"name": "a"}'}, None, "code"),
        ({}, b"x", "settings"),
    ],
)
def test_a_bad_deployment_is_refused_before_it_starts(
    tmp_path: Path, fields: dict[str, str], code: bytes | None, said: str
) -> None:
    async def play(page: Page) -> None:
        body, kind = form(fields, code)
        answer = await page.ask("POST", "/api/functions", body, headers={"content-type": kind})
        assert answer.status == 400, answer.body
        assert said in answer.json["error"]["message"]

    story(tmp_path, play)


WRONG = [
    ("rollback", '{"to": 1e400}', "to"), ("rollback", '{"to": true}', "to"), ("rollback", '{"to": "1"}', "to"),
    ("rollback", '{"to": 1.5}', "to"), ("rollback", '{"to": 1e30}', "to"), ("rollback", '{"to": "\u0661"}', "to"),
    ("rollback", f'{{"to": {"9" * 5000}}}', "to"), ("rollback", f'{{"to": {"9" * 40}}}', "to"),
    ("rollback", f'{{"to": {"[" * 100_000}', "to"), ("rollback", "[" * 100_000, "object"),
    ("rollback", f'{{"x": {"[" * 100_000}', "deep|unknown"),
    ("rollback", "[]", "object"), ("rollback", "NaN", "malformed"),
    ("prewarm", '{"count": true}', "count"), ("prewarm", '{"count": "2"}', "count"),
    ("prewarm", '{"count": 10001}', "count"), ("prewarm", '{"count": 1e400}', "count"),
    ("prewarm", '{"count": null}', "count"), ("prewarm", '{"count": -1}', "count"),
    ("evict", '{"templates": 1}', "templates"), ("evict", '{"templates": "true"}', "templates"),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "body", "said"), WRONG, ids=range(len(WRONG)))
def test_numbers_and_depths_from_outside_are_refused_by_name(tmp_path: Path, verb: str, body: str, said: str) -> None:
    async def play(page: Page) -> None:
        await page.deploy(tmp_path / "code")
        answer = await page.ask("POST", f"/api/functions/hello/{verb}", body.encode(), headers=JSON)
        assert (answer.status, answer.json["error"]["code"]) == (400, "bad_request"), answer.body
        assert re.search(said, answer.json["error"]["message"])

    story(tmp_path, play)


@pytest.mark.parametrize("since", ["nan", "inf", "-inf", "1e400", "-1", "1e300", "9" * 5000, "", "abc", "%00", "1_0"])
def test_a_time_that_is_none_is_refused_by_name(tmp_path: Path, since: str) -> None:
    async def play(page: Page) -> None:
        await page.deploy(tmp_path / "code")
        for path in (f"/api/functions/hello/logs?since={since}", f"/api/calls?limit={since}"):
            answer = await page.ask("GET", path)
            assert answer.status == 400, answer.body
            assert re.search("since|limit", answer.json["error"]["message"])

    story(tmp_path, play)


SETTINGS = [
    '{"name": "a", "memory_mb": 1e400}', '{"name": "a", "timeout_s": 1e400}', '{"name": "a", "queue": true}',
    f'{{"name": "a", "min_sandboxes": {"9" * 5000}}}', f'{{"name": "a", "env": {"[" * 100_000}', "[" * 100_000,
    '{"name": "a\\n"}', '{"name": "a", "handler": "a\\u001b"}', '{"name": "a", "env": {"A\\n": ""}}',
    '{"name": "a", "env": {"A": "s3cret\\u0000"}}', f'{{"name": "a", "env": {{"A": "{"s3cret" * 10_000}"}}}}',
    '{"name": "a", "secrets": {"A": "s3cret"}}', '{"name": "a", "secrets": ["s3cret"]}',
    '{"name": "a", "secrets": "s3cret"}',
    '{"name": "a", "env": {"A": "s3cret"}, "secrets": {"A": "env"}}', '{"name": "a", "secrets": {"A-B": "env"}}',
    '{"name": "a", "env": {"A": ["s3cret"]}}', '{"name": "a", "env": {"A": "\\ud800"}}', "", "null",
]  # fmt: skip


@pytest.mark.parametrize("said", SETTINGS, ids=range(len(SETTINGS)))
def test_settings_that_cannot_be_are_refused_without_a_secret(tmp_path: Path, said: str) -> None:
    async def play(page: Page) -> None:
        body, kind = form({"settings": said}, b"x")
        answer = await page.ask("POST", "/api/functions", body, headers={"content-type": kind})
        assert (answer.status, answer.json["error"]["code"]) == (400, "bad_request"), answer.body
        assert b"s3cret" not in answer.body

    story(tmp_path, play)


def test_a_small_request_has_a_small_body(tmp_path: Path) -> None:
    async def play(page: Page) -> None:
        answer = await page.ask("POST", "/api/tokens", b'{"name": "' + b"x" * 3_000_000 + b'"}', headers=JSON)
        assert (answer.status, answer.json["error"]["code"]) == (413, "payload_too_large")

    story(tmp_path, play)


def test_the_environment_is_named_and_not_told(tmp_path: Path) -> None:
    async def play(page: Page) -> None:
        said = [{"name": "hello", "env": {"KEY": secret}} for secret in ("s3cret", "n3w")]
        answers = [await page.deploy(tmp_path / "code", one) for one in said]
        answers += [await page.ask("GET", f"/api/{path}") for path in ("functions", "workers", "calls", "info")]
        for answer in answers:
            assert b"s3cret" not in answer.body
            assert b"n3w" not in answer.body
        assert answers[1].lines[-1]["done"]["changes"] == ["env.KEY"]
        detail = (await page.ask("GET", "/api/functions/hello")).json
        assert detail["settings"]["env"] == {"KEY": "***"}
        assert "n3w" not in str(detail)
        again = await page.deploy(tmp_path / "code", detail["settings"])
        assert (again.status, again.json["error"]["try"]) == (400, "send the value itself"), "what is shown is no value"

    story(tmp_path, play)


def test_a_refused_archive_is_the_last_line_of_the_stream(tmp_path: Path) -> None:
    async def play(page: Page) -> None:
        body, kind = form({"settings": '{"name": "a"}'}, b"not an archive")
        answer = await page.ask("POST", "/api/functions", body, headers={"content-type": kind})
        assert answer.status == 200
        assert answer.lines[-1]["error"]["code"] == "bad_request"

    story(tmp_path, play)


def test_orders_and_views_go_through(tmp_path: Path) -> None:
    async def play(page: Page) -> None:
        await page.deploy(tmp_path / "code")
        await page.post("/api/functions/hello/prewarm", {"count": 3})
        await page.post("/api/functions/hello/evict", {"templates": True})
        assert page.worker.orders == [Prewarm("hello", 3), Evict("hello", templates=True)]
        [call] = (await page.ask("GET", "/api/calls?function=hello&limit=5")).json
        assert (call["start"], call["timing"]["run"]) == ("cold", 2.0)
        [worker] = (await page.ask("GET", "/api/workers")).json
        assert worker["functions"][0]["function"] == "hello"
        told = (await page.ask("GET", "/api/explain/i1")).json
        assert ([moment["what"] for moment in told["moments"]], told["call"]["id"]) == (
            ["arrived at the gateway"],
            "i1",
        )
        assert (await page.ask("GET", "/api/explain/nobody")).status == 404
        assert (await page.ask("GET", "/api/info")).json == {"version": "0"}
        answer = await page.ask("GET", "/api/functions/hello/logs?since=2.5")
        assert msgspec.convert(answer.lines, list[LogLine]) == [LINE]
        assert page.watched.asked == [("hello", 5), (None, 1), (None, 1), ("hello", 2.5, False)]

    story(tmp_path, play)


def test_a_follower_who_goes_away_is_let_go(tmp_path: Path) -> None:
    async def play(page: Page) -> None:
        await page.deploy(tmp_path / "code")
        answer = await page.ask("GET", "/api/functions/hello/logs?follow=true", leave_after=b"\n")
        assert len(answer.lines) == 1
        assert page.watched.readers == 0

    story(tmp_path, play)
