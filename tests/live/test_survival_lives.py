"""What happens to invocations when their client leaves, their function changes, or the front is pelted with noise."""

import contextlib
import json
import socket
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.live.patience import Later
from tests.live.whole import Whole, at_once, deployment, parse, post, running, until

WORK = """
    import time

    def work(s=0.0):
        print("began")
        time.sleep(s)
        print("ended")
        return "{}"
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("whole") / "state", "--concurrency", "fixed", "--cores", "2") as one:
        assert one.is_well()
        yield one
        assert one.is_well()
        assert one.said == ""
    assert one.left() == []


def deploy(whole: Whole, version: str, **settings: object) -> int:
    told = whole.deploy("work", WORK.replace("{}", version), **settings)
    assert "done" in told, told
    revision: int = told["done"]["revision"]
    return revision


def calls(whole: Whole, function: str = "work") -> list[dict[str, object]]:
    found: list[dict[str, object]] = whole.get(f"/api/calls?function={function}")
    return found


def leave(whole: Whole, request: bytes) -> None:
    """Send it and go, as a client does whose user loses patience."""
    client = socket.create_connection(("127.0.0.1", whole.port))
    client.sendall(request)
    until(lambda: whole.worker()["running"] + whole.worker()["queued"] > 0, "it has arrived")
    client.close()


def test_a_client_that_leaves_the_queue_is_forgotten_and_one_that_leaves_a_run_is_not_killed(whole: Whole) -> None:
    whole.function("patient", WORK.replace("work", "patient"), max_sandboxes=1)
    first = socket.create_connection(("127.0.0.1", whole.port))
    first.sendall(post("/function/patient", b'{"s": 0.5}'))
    until(lambda: whole.worker()["running"] == 1, "the first runs")
    second = socket.create_connection(("127.0.0.1", whole.port))
    second.sendall(post("/function/patient", b'{"s": 0.5}'))
    until(lambda: whole.worker()["queued"] == 1, "the second waits")
    second.close()
    until(lambda: whole.worker()["queued"] == 0, "the second is gone from the queue")
    first.close()
    until(lambda: len(calls(whole, "patient")) == 2, "both are over")
    ended = {call["outcome"]: call for call in calls(whole, "patient")}
    assert set(ended) == {"ok", "cancelled"}
    assert ended["cancelled"]["start"] is None, "it never had a sandbox"
    [sandbox] = whole.sandboxes("patient")
    assert (sandbox["served"], sandbox["phase"]) == (1, "idle")
    assert whole.logs("patient").split() == ["began", "ended"]
    whole.delete("patient")


def test_a_hundred_clients_that_leave_at_once_leave_nothing_behind(whole: Whole) -> None:
    deploy(whole, "one", queue=1000)
    clients = [socket.create_connection(("127.0.0.1", whole.port)) for _ in range(100)]
    for client in clients:
        client.sendall(post("/function/work", b'{"s": 0.3}'))
    until(
        lambda: (view := whole.worker())["running"] > 0 and view["running"] + view["queued"] == 100,
        "all are there, and one is being run",
    )
    for client in clients:
        client.close()
    until(lambda: (view := whole.worker())["running"] + view["queued"] == 0, "all are gone", 2)
    outcomes = Counter(call["outcome"] for call in whole.get("/api/calls?function=work&limit=100"))
    assert outcomes["cancelled"] >= 90
    assert set(outcomes) == {"cancelled", "ok"}
    whole.delete("work")


LONG = {"s": 5}  # than a deployment takes, also where everything is slow


def test_a_new_revision_a_rollback_and_a_deletion_let_what_runs_finish(whole: Whole) -> None:
    deploy(whole, "one")
    first = Later(lambda: whole.call("work", LONG))
    until(lambda: whole.worker()["running"] == 1, "revision 1 runs")
    deploy(whole, "two")
    assert whole.call("work").body == b"two"
    second = Later(lambda: whole.call("work", LONG))
    until(lambda: whole.worker()["running"] == 2, "revision 2 runs too")
    whole.ask("POST", "/api/functions/work/rollback", b"{}", {"content-type": "application/json"})
    assert first.is_alive()
    first_answer = first.result()
    assert first_answer.body == b"one"
    assert whole.call("work").body == b"one"
    third = Later(lambda: whole.call("work", LONG))
    until(lambda: sum(one["busy"] for one in whole.sandboxes("work")) >= 1, "it runs")
    whole.delete("work")
    assert whole.call("work").code == "not_found"
    assert (second.result().body, third.result().body) == (b"two", b"one")
    until(lambda: whole.sandboxes("work") == [], "the sandboxes of what is deleted go")
    assert deploy(whole, "again") > 2, "numbers are not given twice"
    whole.delete("work")


def test_redeployments_under_load_lose_nothing(whole: Whole) -> None:
    deploy(whole, "0", queue=1000)
    answers: list[tuple[int, bytes]] = []
    stop: list[bool] = []

    def call() -> None:
        while not stop:
            answer = whole.call("work")
            answers.append((answer.status, answer.body))

    clients = [Later(call) for _ in range(4)]
    for version in range(1, 9):
        deploy(whole, str(version), queue=1000)
        since = len(answers)
        until(lambda since=since, version=version: (200, str(version).encode()) in answers[since:], "it is in force")  # type: ignore[misc]
    stop.append(True)
    for client in clients:
        client.result()
    assert {status for status, _ in answers} == {200}
    assert whole.call("work").body == b"8"
    whole.delete("work")


PIECES = st.sampled_from(
    [
        b"POST /function/bystander HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n{\"n\": 1}",
        b"GET /api/functions HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api/workers HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"POST /api/functions HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n",
        b"Content-Length: 30\r\n\r\n--x\r\nContent-Disposition: form-da",
        b"DELETE /api/functions/bystander%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n",
        b"GET /function/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"Authorization: Bearer \xff\xfe\r\n", b"\r\n", b"\r\n\r\n", b"\x00", b"HTTP/1.1", b"Expect: 100-continue\r\n",
    ]
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(st.one_of(PIECES, st.binary(max_size=40)), max_size=6), min_size=1, max_size=8))
def test_noise_at_the_front_disturbs_nobody(whole: Whole, conversations: list[list[bytes]]) -> None:
    with contextlib.ExitStack() as clients:
        for pieces in conversations:
            client = clients.enter_context(socket.create_connection(("127.0.0.1", whole.port), timeout=5))
            with contextlib.suppress(OSError):  # it has had enough
                for piece in pieces:
                    client.sendall(piece)
        assert whole.call("bystander", {"n": 1}).value == 2  # while all of them are still there
    assert whole.process.poll() is None


def test_uploads_that_break_off_are_no_failures_of_ours(whole: Whole) -> None:
    body, fields = deployment("half", "def half():\n    return 1\n")
    for cut in (1, len(body) // 2, len(body) - 1):
        with socket.create_connection(("127.0.0.1", whole.port)) as client:
            kind = f"Content-Type: {fields['content-type']}"
            client.sendall(post("/api/functions", body, kind)[: cut - len(body)])
    assert "half" not in [row["function"] for row in whole.get("/api/functions")]
    assert whole.said == ""


def test_every_wrong_request_to_the_admin_api_is_answered_in_the_envelope(whole: Whole) -> None:
    form = "Content-Type: multipart/form-data; boundary=x"
    rows = [
        (b"", form), (b"--x--\r\n", form), (b"{", "Content-Type: application/json"), (b"\xff" * 100, form),
        (b"--x\r\nContent-Disposition: form-data; name=\"settings\"\r\n\r\n{}\r\n--x--\r\n", form),
        (b"--x\r\nContent-Disposition: form-data; name=\"settings\"\r\n\r\n{\"name\": \"A\"}\r\n"
         b"--x\r\nContent-Disposition: form-data; name=\"code\"; filename=\"c\"\r\n\r\nno archive\r\n--x--\r\n", form),
    ]  # fmt: skip
    for answer in at_once(whole, [post("/api/functions", body, field) for body, field in rows]):
        assert 400 <= answer.status < 500
        assert answer.code == "bad_request"
    raw = post("/api/tokens", json.dumps({"name": "x" * 10_000}).encode(), "Content-Type: application/json")
    assert [answer.status for answer in at_once(whole, [raw] * 3)] == [400] * 3
    assert parse(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").value == {}
