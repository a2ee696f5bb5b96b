"""Calls whose answers are fetched later, on a whole server: accepted, made, cancelled, and not lost with it."""

import http.server
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.live.whole import Answer, Whole, running, until

pytestmark = pytest.mark.live

COUNT = """
import os, time
def handler(event, context):
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("fail"):
        raise ValueError("as asked")
    return {"n": event.get("n"), "id": context.aws_request_id}
"""
PAGE = """
def application(environ, start):
    start("201 Created", [("x-of", "page")])
    return [f"{environ['PATH_INFO']} {environ['HTTP_X_ATTACCA_ATTEMPT']}".encode()]
"""
MANY = 1000
LOCAL = "gateway.async.callback_networks=['127.0.0.0/8']"


def later(whole: Whole, name: str, payload: str, **headers: str) -> Answer:
    sent = {"content-type": "application/json", **{key.replace("_", "-"): value for key, value in headers.items()}}
    return whole.ask("POST", f"/async-function/{name}", payload.encode(), sent)


def over(whole: Whole, call: str, wait_s: int = 30) -> dict[str, Any]:
    shown: dict[str, Any] = whole.get(f"/calls/{call}?wait={wait_s}")
    return shown


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("async") / "state", "--set", LOCAL) as server:
        server.function("count", COUNT, **{"async": {"retries": 1, "backoff_s": 0.05, "at_once": 4}})
        server.function("page", PAGE)
        yield server


def test_a_call_is_accepted_and_its_answer_fetched(whole: Whole) -> None:
    answer = later(whole, "count", '{"n": 7}')
    assert answer.status == 202
    call = answer.value["id"]
    assert answer.headers["location"] == f"/calls/{call}"
    shown = over(whole, call)
    assert (shown["status"], shown["attempts"]) == ("done", 1)
    assert shown["result"]["body"] == {"n": 7, "id": f"{call}.1"}
    assert shown["tries"][0]["timing"]["run"] >= 0
    result = whole.ask("GET", f"/calls/{call}/result")
    assert result.value == {"n": 7, "id": f"{call}.1"}
    assert result.headers["x-attacca-invocation-id"] == f"{call}.1"


def test_an_application_is_told_all_of_the_request(whole: Whole) -> None:
    answer = whole.ask("PUT", "/async-function/page/a/b?c=d", b"x" * 100_000)
    result = whole.ask("GET", f"/calls/{answer.value['id']}/result?wait=20")
    assert (result.status, result.headers["x-of"], result.body) == (201, "page", b"/a/b 1")


def test_what_cannot_be_accepted_is_refused(whole: Whole) -> None:
    assert later(whole, "nobody", "{}").code == "not_found"
    assert whole.ask("GET", f"/calls/{'0' * 32}").code == "not_found"
    assert whole.ask("GET", "/calls/../api").code == "not_found"
    assert whole.ask("HEAD", "/async-function/count").status == 405
    assert whole.ask("POST", f"/calls/{'0' * 32}").status == 405
    assert whole.ask("GET", f"/calls/{'0' * 32}?wait=nan").status == 400
    for url in (
        "ftp://x/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://u:p@x.org/",
    ):
        assert later(whole, "count", "{}", x_attacca_callback_url=url).status == 400, url
    assert later(whole, "count", "x" * (17 << 20)).status == 413


def test_a_call_is_cancelled_while_it_runs(whole: Whole) -> None:
    call = later(whole, "count", '{"sleep": 20}').value["id"]
    until(lambda: whole.get(f"/calls/{call}")["status"] == "running", "it runs")
    assert whole.ask("DELETE", f"/calls/{call}").value == {"id": call, "status": "cancelled"}
    assert whole.get(f"/calls/{call}")["status"] == "cancelled"
    assert whole.ask("DELETE", f"/calls/{call}").code == "conflict"
    assert whole.ask("GET", f"/calls/{call}/result").status == 404


def test_one_that_fails_is_dead_and_revived(whole: Whole) -> None:
    call = later(whole, "count", '{"fail": true, "n": 3}').value["id"]
    shown = over(whole, call)
    assert (shown["status"], shown["attempts"], shown["why"]) == ("dead", 2, "ValueError: as asked")
    assert call in [row["id"] for row in whole.get("/api/async?state=dead&function=count")]
    assert whole.get(f"/api/async/{call}")["error"] == "function_error"
    assert whole.ask("POST", f"/api/async/{call}/retry").status == 202
    until(lambda: whole.get(f"/calls/{call}")["status"] == "dead", "it is tried anew")
    assert whole.ask("DELETE", f"/api/async/{call}").status == 200
    assert whole.ask("GET", f"/calls/{call}").status == 404


def test_a_key_is_done_once(whole: Whole) -> None:
    key = {"idempotency-key": '"of-once"', "content-type": "application/json"}
    first = whole.ask("POST", "/function/count", b'{"n": 1}', key)
    second = whole.ask("POST", "/function/count", b'{"n": 1}', key)
    assert first.status == second.status == 200
    assert first.body == second.body, "it has the name of the first invocation in it"
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert whole.ask("POST", "/function/count", b'{"n": 2}', key).code == "key_reused"
    assert whole.ask("POST", "/async-function/count", b'{"n": 1}', key).code == "key_reused"
    failing = {**key, "idempotency-key": "of-failures"}
    assert whole.ask("POST", "/function/count", b'{"fail": 1}', failing).status == 500
    assert whole.ask("POST", "/function/count", b'{"fail": 1}', failing).headers["idempotency-replayed"] == "true"
    again = {**key, "idempotency-key": "of-calls"}
    calls = [whole.ask("POST", "/async-function/count", b"{}", again).value["id"] for _ in range(2)]
    assert calls[0] == calls[1]
    assert whole.ask("POST", "/function/count", b"{}", {**key, "idempotency-key": ""}).status == 400


def test_a_key_in_use_is_a_conflict(whole: Whole) -> None:
    key = {"idempotency-key": "of-both", "content-type": "application/json"}
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(whole.ask, "POST", "/function/count", b'{"sleep": 1}', key) for _ in range(2)]
        statuses = sorted(one.result().status for one in asked)
    assert statuses == [200, 409]


class Taker(http.server.BaseHTTPRequestHandler):
    posts: list[tuple[str, dict[str, str], bytes]] = []  # noqa: RUF012 - one for the whole test

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.posts.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(500 if len(self.posts) == 1 else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_an_answer_is_posted_until_it_is_taken(whole: Whole) -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"http://localhost:{server.server_port}/taken?by=us"
        call = later(whole, "count", '{"n": 5}', x_attacca_callback_url=url).value["id"]
        until(lambda: whole.get(f"/calls/{call}")["callback"] == "done", "it is taken")
    finally:
        server.shutdown()
        server.server_close()
    (path, headers, body), second = Taker.posts
    assert (path, body) == ("/taken?by=us", b'{"n": 5, "id": "%b.1"}' % call.encode())
    assert (headers["x-attacca-call-id"], headers["x-attacca-function-status"]) == (call, "200")
    assert second == (path, headers, body)


def test_a_full_queue_says_when_to_come_back(whole: Whole) -> None:
    whole.function("narrow", COUNT, **{"async": {"queue": 1}})
    first = later(whole, "narrow", '{"sleep": 1}')
    refused = later(whole, "narrow", "{}")
    assert refused.code == "queue_full"
    assert int(refused.headers["retry-after"]) >= 1
    assert over(whole, first.value["id"])["status"] == "done"


def test_no_call_that_was_accepted_is_lost_with_its_server(tmp_path: Path) -> None:
    """Killed in the middle of a thousand, some of which run, some wait, some are on their way to the disk."""
    state = tmp_path / "state"
    accepted: list[str] = []
    with running(state) as first:
        first.function("count", COUNT)
        until(lambda: first.call("count", {"n": 1}).status == 200, "it works")

        def ask(number: int) -> None:
            try:
                answer = later(first, "count", f'{{"n": {number}, "sleep": 0.01}}')
            except OSError:
                return  # killed
            if answer.status == 202:
                accepted.append(answer.value["id"])

        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(ask, number) for number in range(MANY + 200)]
            until(lambda: len(accepted) >= MANY, "they are accepted", 60)
            first.kill()
            for one in asked:
                one.result()
    began = time.monotonic()
    with running(state) as second:
        unfinished = set(accepted)
        while unfinished:
            call = next(iter(unfinished))
            shown = over(second, call, 60)
            assert shown["status"] == "done", shown
            unfinished.discard(call)
    assert time.monotonic() - began < 120
    assert len(accepted) >= MANY


def test_what_a_server_that_is_stopped_leaves_is_made_by_the_next(tmp_path: Path) -> None:
    """At once, as it has given its calls up: and not before the functions are known."""
    state = tmp_path / "state"
    with running(state) as first:
        first.function("count", COUNT)
        calls = [later(first, "count", f'{{"n": {number}, "sleep": 0.05}}').value["id"] for number in range(60)]
        first.stop()
    with running(state) as second:
        for number, call in enumerate(calls):
            shown = over(second, call)
            assert (shown["status"], shown["result"]["body"]["n"]) == ("done", number)


def test_runs_that_were_missed_are_told_and_one_is_made_for_them(tmp_path: Path) -> None:
    state = tmp_path / "state"
    hourly = f"{(time.gmtime().tm_min + 30) % 60} * * * *"  # not meanwhile
    once = {"schedule": [hourly], "timezone": "Europe/Rome", "missed": "once"}
    with running(state) as first:
        first.function("count", COUNT, **once)
        until(lambda: first.get("/api/schedules")[0]["settled"], "its schedule is known")
        (row,) = first.get("/api/schedules")
        assert row["next"] > time.time()
        assert len(row["following"]) == 3
        first.stop()
    with sqlite3.connect(state / "calls.db") as journal:
        journal.execute("UPDATE marks SET due = due - 36000")
    journal.close()
    with sqlite3.connect(state / "state.db") as store:  # it was deployed before that
        for key, value in store.execute("SELECT key, value FROM entries WHERE key = 'functions/count'").fetchall():
            text = re.sub(rb'"created_at":[0-9.]+', b'"created_at":1.0', value)
            store.execute("UPDATE entries SET value = ? WHERE key = ?", (text, key))
    store.close()
    with running(state) as second:
        until(lambda: second.get("/api/async?function=count"), "a run is made")
        (call,) = second.get("/api/async?function=count")
        assert call["kind"] == "schedule"
        missed = second.get("/api/schedules")[0]["missed"]
        assert missed == 10
        assert f"{missed} runs of count were due by '{hourly}'" in second.said
