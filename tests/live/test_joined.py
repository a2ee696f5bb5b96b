"""The planes of a server, joined in memory and over TCP: the same things happen; and what a broken connection costs."""

import hashlib
import http.client
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.live.patience import Later
from tests.live.whole import Whole, running, until

JOINS = ("memory", "tcp")
MB = 1 << 20
STREAMS = """
    import hashlib

    async def app(scope, receive, send):
        seen, size = hashlib.sha256(), 0
        while True:
            message = await receive()
            body = message.get("body", b"")
            seen.update(body)
            size += len(body)
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": f"{size} {seen.hexdigest()}".encode(), "more_body": True})
        for number in range(int(scope["query_string"] or 0)):
            await send({"type": "http.response.body", "body": bytes([number % 256]) * 65536, "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})
"""


@pytest.fixture(scope="module", params=JOINS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("state"), "--set", f"wire.join={request.param}") as up:
        yield up


def order(whole: Whole, path: str, **words: object) -> None:
    answer = whole.ask(
        "POST", f"/api/functions/{path}", json.dumps(words).encode(), {"content-type": "application/json"}
    )
    assert answer.status < 300, answer


def test_a_function_is_deployed_called_changed_and_deleted(whole: Whole) -> None:
    for number in (1, 2, 3):
        whole.deploy("turn", f"def turn(x=0):\n    print('number {number}')\n    return [{number}, x]")
        assert whole.call("turn", {"x": number}).value == [number, number]
    until(lambda: "number 3" in whole.logs("turn"), "what it wrote is in the log")
    order(whole, "turn/rollback")
    assert whole.call("turn").value == [2, 0]
    calls = whole.get("/api/calls?function=turn")
    assert [call["revision"] for call in calls][:2] == [2, 3]
    whole.delete("turn")
    assert whole.call("turn").code == "not_found"


def test_code_that_cannot_be_imported_is_refused_with_its_traceback(whole: Whole) -> None:
    done = whole.deploy("broken", "import nonsense\ndef broken():\n    pass")
    assert done["error"]["code"] == "bad_function"
    assert "nonsense" in json.dumps(done)


def test_sandboxes_are_made_ahead_and_evicted(whole: Whole) -> None:
    whole.function("ahead", "def ahead():\n    return 1")
    order(whole, "ahead/prewarm", count=2)
    until(lambda: [one["phase"] for one in whole.sandboxes("ahead")] == ["idle"] * 2, "two are idle")
    assert whole.call("ahead").value == 1
    order(whole, "ahead/evict", templates=True)
    until(lambda: whole.sandboxes("ahead") == [], "they are gone")
    assert whole.call("ahead").value == 1


def test_streams_pass_whole_in_both_directions(whole: Whole) -> None:
    whole.function("mirror", STREAMS, timeout_s=120)
    body = bytes(range(256)) * (24 * MB // 256)
    answer = whole.ask("POST", "/function/mirror?400", body, wait_s=60)
    begin = f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()
    assert answer.body == begin + b"".join(bytes([n % 256]) * 65_536 for n in range(400)) + b"end"


def test_many_at_once_are_answered_each_with_its_own(whole: Whole) -> None:
    whole.function("own", "def own(n):\n    return n", concurrency=1)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: whole.call("own", {"n": n}), range(300)))
    assert [answer.value for answer in answers] == list(range(300))
    [worker] = [whole.worker()]
    assert (worker["running"], worker["queued"]) == (0, 0)


def test_what_takes_too_long_is_given_up_and_who_leaves_is_not_waited_for(whole: Whole) -> None:
    whole.function("slow", "import time\ndef slow(s):\n    time.sleep(s)\n    return s", timeout_s=0.3)
    assert whole.call("slow", {"s": 30}).code == "timeout"
    whole.function("slow", "import time\ndef slow(s):\n    time.sleep(s)\n    return s", timeout_s=30, max_sandboxes=1)
    first = Later(lambda: whole.call("slow", {"s": 0.5}))
    assert [first.result().value, whole.call("slow", {"s": 0}).value] == [0.5, 0]
    until(lambda: whole.worker()["running"] == 0, "nothing runs any more")


def test_calls_are_answered_while_revisions_come_and_go(whole: Whole) -> None:
    """Who calls meanwhile gets one revision or the other, and none that nobody knows any more."""
    source = "def flux():\n    return {0}"
    whole.function("flux", source.format(0))
    with ThreadPoolExecutor(4) as pool:
        for number in range(1, 8):
            calling = [pool.submit(whole.call, "flux") for _ in range(12)]
            whole.function("flux", source.format(number))
            seen = {(answer.status, answer.value) for answer in (one.result() for one in calling)}
            assert seen <= {(200, number - 1), (200, number)}
            assert whole.call("flux").value == number


def test_what_an_invocation_costs_is_shown(whole: Whole, request: pytest.FixtureRequest) -> None:
    """`-s` shows it: CPU time of the whole server for each warm invocation, one after the other."""
    whole.function("nothing", "def nothing():\n    return 0")
    connection = http.client.HTTPConnection("127.0.0.1", whole.port, timeout=30)

    def call() -> int:
        connection.request("POST", "/function/nothing")
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def spent_s() -> float:
        fields = Path(f"/proc/{whole.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    statuses = [call() for _ in range(100)]
    before = spent_s()
    statuses += [call() for _ in range(2000)]
    after = spent_s()
    connection.close()
    print(f"\n{request.node.name}: {(after - before) / 2000 * 1e6:.0f} microseconds")
    assert set(statuses) == {200}
