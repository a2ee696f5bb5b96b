"""Requests to the gateway that become events of a workflow, with all planes in one process and apart."""

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from attacca.client.http import Client
from attacca.client.workflow_file import read
from attacca.client.workflow_script import Workflow
from attacca.client.workflows import started as started_from
from tests.live.apart import Cluster, cluster
from tests.live.test_workflows import started, uploaded
from tests.live.whole import Answer, Whole, deployment, running, until

ROOT = Path(__file__).parents[2]
SERVER = """
import time

def call(ctx, source, message):
    asked = message.json()
    if asked["path"].startswith("/slow"):
        time.sleep(float(bytes(asked["body"])))
    if asked["path"].startswith("/raise"):
        raise ValueError("as asked")
    if asked["path"].startswith("/plain"):
        return {"seen": bytes(asked["body"]).decode()}
    body = list(b"%s %s %s" % (asked["method"].encode(), asked["path"].encode(), bytes(asked["body"])))
    return {"status": 201, "headers": {"X-Mine": asked["headers"]["x-yours"]}, "body": body}
"""


def served(onlooker: Whole, source: str, **configuration: str) -> list[dict[str, Any]]:
    door = {"name": "door", "resource": "http-ingress", "outputs": {"new_request": {"to": ["server"]}}}
    server = {"name": "server", "artefact": uploaded(onlooker, source), "timeout_s": 2.0}
    return [{**door, "configuration": configuration, "timeout_s": 1.0}, server]


def begun(onlooker: Whole, name: str, source: str, **configuration: str) -> str:
    answer = started(onlooker, name, served(onlooker, source, **configuration))
    assert answer.status == 201, answer
    return str(answer.value["id"])


def ask(whole: Whole, method: str, path: str, body: bytes = b"", **more: str) -> Answer:
    return whole.ask(method, path, body, {"x-yours": "7", **more})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("doors") / "state") as made:
        yield made


def test_a_request_becomes_an_event_and_its_reply_the_response(whole: Whole) -> None:
    name = begun(whole, "answering", SERVER, host="Demo.edgeless.com", methods="GET,POST")
    answer = ask(whole, "POST", "/a/b?x=1", b"hi", host="demo.edgeless.com:7035")
    assert (answer.status, answer.body, answer.headers["x-mine"]) == (201, b"Post /a/b?x=1 hi", "7")
    assert ask(whole, "GET", f"/function/{name}.door/here").body == b"Get /here "
    plain = ask(whole, "POST", "/plain", b"text", host="demo.edgeless.com")
    assert (plain.status, plain.value, plain.headers["content-type"]) == (200, {"seen": "text"}, "application/json")
    assert ask(whole, "PUT", "/a", host="demo.edgeless.com").code == "method_not_allowed"
    failed = ask(whole, "GET", "/raise", host="demo.edgeless.com")
    assert (failed.status, failed.error["message"]) == (500, "ValueError: as asked")
    assert ask(whole, "GET", "/a", host="other.edgeless.com").status == 404
    assert whole.ask("DELETE", f"/api/workflows/{name}").status == 204
    assert ask(whole, "GET", f"/function/{name}.door/here").status == 404


def test_who_does_not_answer_in_time_is_waited_for_no_longer_and_the_next_is_served(whole: Whole) -> None:
    begun(whole, "slow", SERVER, path="/slow")
    assert ask(whole, "POST", "/slow/x", b"1.5").status in (500, 504)
    until(lambda: ask(whole, "POST", "/slow/x", b"0").status == 201, "it is at rest again")
    assert ask(whole, "POST", "/slower", b"0").status == 404, "another path"
    assert whole.ask("DELETE", "/api/workflows/slow").status == 204


def test_an_asynchronous_door_answers_at_once(whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> None:
    parts = [
        {
            "name": "door",
            "resource": "http-ingress",
            "configuration": {"path": "/notes", "async": "true", "wf_id": "true"},
            "outputs": {"new_request": {"to": ["log"]}},
        },
        {"name": "log", "resource": "file-log", "configuration": {"filename": "notes.log"}},
    ]
    name = started(whole, "noting", parts).value["id"]
    assert ask(whole, "POST", "/notes", b"lost").code == "not_found"
    assert ask(whole, "POST", f"/notes?wf_id={name}", b"kept").body == b"OK"
    file = next(tmp_path_factory.getbasetemp().glob("doors*/state")) / "resources" / "notes.log"
    until(lambda: file.exists() and file.read_text() == "kept\n", "it is written")


@pytest.mark.parametrize(
    ("configuration", "says"),
    [
        ({"method": "GET,FOO"}, "there is no method 'FOO'"),
        ({"path": "/api/x"}, "is the gateway's own"),
        ({"path": "x"}, "does not begin with a slash"),
        ({"body": "xml"}, "body = 'xml' is none of"),
    ],
)
def test_a_door_that_cannot_be_is_refused(whole: Whole, configuration: dict[str, str], says: str) -> None:
    part = {"name": "door", "resource": "http-ingress", "configuration": configuration}
    answer = started(whole, "wrong", [part])
    assert (answer.status, says in answer.error["message"]) == (422, True), answer


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path, workers=2, gateways=2, words=("--set", "gateway.silent_s=30")) as made:
        yield made


def test_all_gateways_know_a_door_before_its_start_is_answered_and_it_moves_with_its_worker(apart: Cluster) -> None:
    gateway = apart.gateways["g1"]
    late = apart.gateways["g2"]
    late.process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(1) as asking:
        name = asking.submit(begun, apart.control, "answering", SERVER, host="demo.edgeless.com")
        try:
            until(lambda: ask(gateway, "GET", "/a", host="demo.edgeless.com").status == 201, "one knows")
            for _ in range(20):
                (row,) = apart.control.get("/api/workflows")
            assert ({one["state"] for one in row["instances"]}, name.done()) == ({"up"}, False)
        finally:
            late.process.send_signal(signal.SIGCONT)
        assert name.result() == row["id"]
    assert ask(late, "GET", "/a", host="demo.edgeless.com").status == 201, "now it does"
    rows = {one["component"]: one["worker"] for one in row["instances"]}
    apart.workers[rows["door"]].kill()
    until(lambda: ask(gateway, "GET", "/b", host="demo.edgeless.com").body == b"Get /b ", "it is open elsewhere")


ASKING = """
def call(ctx, source, message):
    path, body = message.json()["path"], bytes(message.json()["body"])
    if path == "/resource":
        return ctx.call("to", body)
    return ctx.invoke(path[1:], body, timeout=5)
"""


def test_ordinary_functions_are_called_by_event_functions_and_resources(whole: Whole) -> None:
    source = "def main(args):\n    return {'twice': args['n'] * 2}\n"
    assert whole.ask("POST", "/api/functions", *deployment("twice", source)).status < 300
    parts = served(whole, ASKING, host="ask.here")
    parts[1]["outputs"] = {"to": {"to": ["twice"]}}
    parts.append({"name": "twice", "resource": "serverless", "configuration": {"function": "twice"}})
    assert started(whole, "asking", parts).status == 201
    for path in ("/twice", "/resource"):
        assert ask(whole, "POST", path, b'{"n": 21}', host="ask.here").value == {"twice": 42}
    assert "no function is called 'nothing'" in ask(whole, "POST", "/nothing", host="ask.here").error["message"]
    assert "twice raised KeyError" in ask(whole, "POST", "/twice", b"{}", host="ask.here").error["message"]


def test_a_workflow_of_edgeless_is_started_as_it_is(whole: Whole, tmp_path: Path) -> None:
    counter = {
        "id": "counter", "function_type": "PYTHON", "version": "0.1", "code": "classes/counter.py", "outputs": ["out"],
    }  # fmt: skip
    told = {
        "functions": [
            {
                "name": "counter", "class_specification": counter, "output_mapping": {"out": "my-log"},
                "annotations": {"init-payload": "7"},
            },
        ],
        "resources": [
            {
                "name": "my-log", "class_type": "file-log", "output_mapping": {},
                "configurations": {"filename": "edgeless.log"},
            },
        ],
        "annotations": {},
    }  # fmt: skip
    (tmp_path / "classes").mkdir()
    (tmp_path / "classes" / "counter.py").write_text("def cast(ctx, source, message):\n    ctx.cast('out', message)\n")
    (tmp_path / "workflow.json").write_text(json.dumps(told))
    with Client(f"http://127.0.0.1:{whole.port}") as client:
        assert started_from(client, read(tmp_path), lambda _: None)["instances"][0]["state"] == "up"
    flow = Workflow("scripted", tmp_path / "start.py")
    flow.function("counter", "classes/counter.py", outputs={"out": "log"})
    flow.resource("log", "file-log", {"filename": "scripted.log"})
    assert flow.start(f"http://127.0.0.1:{whole.port}")["name"] == "scripted"


def test_a_resource_of_what_its_node_does_not_allow_is_refused(whole: Whole) -> None:
    part = {"name": "shelf", "resource": "redis", "configuration": {"url": "redis://127.0.0.1:1", "key": "a"}}
    answer = started(whole, "inward", [part])
    assert (answer.status, "may not speak to '127.0.0.1'" in answer.error["message"]) == (422, True), answer
    assert whole.ask("GET", "/api/workflows/inward").status == 404


def test_what_a_resource_could_not_do_is_in_the_log(whole: Whole) -> None:
    source = "def init(ctx, payload, state):\n    ctx.cast('out', 'x')\n\ndef cast(ctx, source, message): ...\n"
    parts = [
        {"name": "sender", "artefact": uploaded(whole, source), "outputs": {"out": {"to": ["world"]}}},
        {"name": "world", "resource": "http-egress"},
    ]
    assert started(whole, "failing", parts).status == 201

    def written() -> bytes:
        return whole.ask("GET", "/api/workflows/failing/logs?component=world").body

    until(lambda: b"the event is no request" in written(), "it says why")


def test_the_guest_book_of_the_examples_keeps_what_guests_write(whole: Whole) -> None:
    with Client(f"http://127.0.0.1:{whole.port}") as client:
        started_from(client, read(ROOT / "examples" / "workflows" / "guestbook"), lambda _: None)
    assert whole.get("/guestbook") == {"entries": []}
    for text in ("it's fine", "quite\nnice"):
        assert whole.ask("POST", "/guestbook", text.encode()).status == 200
    assert whole.get("/guestbook") == {"entries": ["quite\nnice", "it's fine"]}
