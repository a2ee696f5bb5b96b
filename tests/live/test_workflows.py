"""Workflows on real planes: event functions that crash, nodes that die, and what is left of both."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.apart import WORKER, Cluster, cluster
from tests.live.relay import Relay
from tests.live.whole import Whole, deployment, running, until

COUNTER = """
import os

class Counter:
    def init(self, ctx, payload, state):
        self.n = int(state) if state else int(payload or 0)
        ctx.log(f"begins at {self.n}")

    def cast(self, ctx, source, message):
        self.n += 1
        ctx.sync(str(self.n))
        ctx.cast("out", f"{message.text} {self.n}")
        if message == b"die":
            os._exit(3)

    def call(self, ctx, source, message):
        if message == b"raise":
            raise ValueError("as asked")
        return {"n": self.n, "you": source}
"""
SENDER = """
def init(ctx, payload, state):
    ctx.delayed_cast(0.01, "self", "1")

async def cast(ctx, source, message):
    n, most, death = int(message), 40, 11
    ctx.cast("to", "die" if n == death else str(n))
    if n < most:
        ctx.delayed_cast(0.02, "self", str(n + 1))
"""
CALLER = """
def init(ctx, payload, state):
    ctx.cast("self")

def cast(ctx, source, message):
    print(ctx.call("to", "how many").json()["n"])
    for output, message in (("to", "raise"), ("nowhere", "")):
        try:
            ctx.call(output, message)
        except Exception as error:
            print(type(error).__name__, error)
"""


def uploaded(onlooker: Whole, source: str) -> Any:
    answer = onlooker.ask("POST", "/api/code", *deployment("code", source))
    assert answer.status == 201, answer
    return answer.value


def started(onlooker: Whole, name: str, components: list[dict[str, Any]]) -> Any:
    body = json.dumps({"name": name, "components": components}).encode()
    return onlooker.ask("POST", "/api/workflows", body, {"content-type": "application/json"})


def counting(onlooker: Whole, source: str, /, **requires: list[str]) -> list[dict[str, Any]]:
    """Of each component the nodes that it may be on."""
    made = [
        {"name": "sender", "artefact": uploaded(onlooker, source), "outputs": {"to": {"to": ["counter"]}}},
        {
            "name": "counter",
            "artefact": uploaded(onlooker, COUNTER),
            "payload": "100",
            "outputs": {"out": {"to": ["log"]}},
        },
        {"name": "log", "resource": "file-log", "configuration": {"filename": "counts.log"}},
    ]
    return [{**one, "requires": {"nodes": requires.get(str(one["name"]), [])}} for one in made]


def lines(directory: Path) -> list[str]:
    file = directory / "resources" / "counts.log"
    return file.read_text().splitlines() if file.exists() else []


def rows(onlooker: Whole, name: str) -> dict[str, dict[str, Any]]:
    return {row["component"]: row for row in onlooker.get(f"/api/workflows/{name}")["instances"]}


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Whole]:
    with running(tmp_path / "state") as made:
        yield made


def test_what_crashes_goes_on_with_what_it_had_synced(whole: Whole, tmp_path: Path) -> None:
    answer = started(whole, "counting", counting(whole, SENDER))
    assert answer.status == 201, answer
    assert {row["state"] for row in answer.value["instances"]} == {"up"}
    until(lambda: len(lines(tmp_path / "state")) == 40, "all have come")
    said = [line.split() for line in lines(tmp_path / "state")]
    assert [int(count) for _, count in said] == list(range(101, 141)), "none is lost, none is doubled"
    assert [word for word, _ in said] == [*map(str, range(1, 11)), "die", *map(str, range(12, 41))]
    assert rows(whole, "counting")["counter"]["starts"] == 2
    written = whole.ask("GET", "/api/workflows/counting/logs?component=counter").body.decode()
    assert "begins at 100" in written
    assert "begins at 111" in written
    assert whole.ask("DELETE", "/api/workflows/counting").status == 204
    assert whole.get("/api/workflows") == []
    assert whole.worker()["sandboxes"] == []


def test_calls_are_answered_or_fail_with_why(whole: Whole) -> None:
    components = [
        {"name": "caller", "artefact": uploaded(whole, CALLER), "outputs": {"to": {"to": ["counter"]}}},
        {"name": "counter", "artefact": uploaded(whole, COUNTER), "outputs": {}},
    ]
    assert started(whole, "calling", components).status == 201
    expected = ["0", "CallFailed ValueError: as asked", "CallFailed the output 'nowhere' leads nowhere"]

    def said() -> list[str]:
        written = whole.ask("GET", "/api/workflows/calling/logs?component=caller").body.splitlines()
        return [json.loads(line)["text"] for line in written]

    until(lambda: said() == expected, "it has said all")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import missing_module", "No module named 'missing_module'"),
        (
            "def init(ctx, payload, state):\n    raise KeyError('nothing')\ndef cast(ctx, source, message): ...",
            "KeyError",
        ),
        ("x = 1", "has no event function"),
    ],
)
def test_code_that_cannot_start_is_refused_with_its_traceback(whole: Whole, source: str, says: str) -> None:
    answer = started(whole, "broken", [{"name": "only", "artefact": uploaded(whole, source)}])
    assert answer.status == 422, answer
    assert says in answer.value["error"]["message"]
    assert whole.get("/api/workflows") == [], "and nothing of it is left"
    assert whole.worker()["sandboxes"] == []


def test_it_goes_on_after_a_restart_of_the_server(tmp_path: Path) -> None:
    with running(tmp_path / "state") as first:
        assert started(first, "counting", counting(first, SENDER)).status == 201
        until(lambda: len(lines(tmp_path / "state")) == 40, "all have come")
        first.kill()
    with running(tmp_path / "state") as second:
        until(lambda: rows(second, "counting")["counter"]["state"] == "up", "it is up again")
        until(lambda: len(lines(tmp_path / "state")) >= 50, "the sender begins anew, the counter does not")
        assert lines(tmp_path / "state")[40].split()[1] == "141"


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path, workers=3) as made:
        yield made


STEADY = SENDER.replace("40, 11", "150, 0")


def test_the_death_of_a_node_loses_nothing_whose_sender_lives(apart: Cluster, tmp_path: Path) -> None:
    made = counting(apart.control, STEADY, sender=["w1"], counter=["w2", "w3"], log=["w1"])
    answer = started(apart.control, "counting", made)
    assert answer.status == 201, answer
    until(lambda: len(lines(tmp_path / "w1")) > 20, "events pass between workers")
    where = rows(apart.control, "counting")["counter"]["worker"]
    apart.workers[where].kill()
    until(lambda: len(lines(tmp_path / "w1")) == 150, "all have come")
    words = [line.split()[0] for line in lines(tmp_path / "w1")]
    assert words == [str(number) for number in range(1, 151)], "each once, in order"
    assert rows(apart.control, "counting")["counter"]["worker"] not in ("w1", where)


def test_what_moves_goes_on_with_its_state_and_loses_nothing(apart: Cluster, tmp_path: Path) -> None:
    made = counting(apart.control, STEADY, sender=["w1"], counter=["w2", "w3"], log=["w1"])
    answer = started(apart.control, "counting", made)
    assert answer.status == 201, answer
    for moves in range(1, 4):
        until(lambda moves=moves: len(lines(tmp_path / "w1")) > 20 * moves, "events pass between workers")  # type: ignore[misc]
        other = "w3" if rows(apart.control, "counting")["counter"]["worker"] == "w2" else "w2"
        body, began = json.dumps({"to": [other], "component": "counter"}).encode(), time.monotonic()
        moved = apart.control.ask("POST", "/api/workflows/counting/migrate", body, {"content-type": "application/json"})
        assert moved.status == 200, moved
        print(f"moved in {time.monotonic() - began:.2f} s")
        assert rows(apart.control, "counting")["counter"]["worker"] == other
    until(lambda: len(lines(tmp_path / "w1")) == 150, "all have come")
    said = [line.split() for line in lines(tmp_path / "w1")]
    assert said == [[str(number), str(100 + number)] for number in range(1, 151)], "each once, in order, counted on"


def test_one_that_stands_by_takes_over_when_the_node_is_killed(apart: Cluster, tmp_path: Path) -> None:
    made = counting(apart.control, STEADY, sender=["w1"], counter=["w2", "w3"], log=["w1"])
    made[1] |= {"replicas": 2, "standby": "hot"}
    answer = started(apart.control, "counting", made)
    assert answer.status == 201, answer
    until(lambda: rows(apart.control, "counting")["counter~2"]["state"] == "standby", "another one stands by")
    until(lambda: len(lines(tmp_path / "w1")) > 20, "events pass between workers")
    told = rows(apart.control, "counting")
    where, ready = told["counter"]["worker"], told["counter~2"]["worker"]
    assert where != ready
    killed_at = time.monotonic()
    apart.workers[where].kill()
    until(lambda: _is_up_on(apart, ready), "it has taken over")
    print(f"a hot standby took over {time.monotonic() - killed_at:.2f} s after kill -9")
    until(lambda: len(lines(tmp_path / "w1")) == 150, "all have come")
    counts = [int(line.split()[1]) for line in lines(tmp_path / "w1")]
    assert counts == sorted(set(counts)), "no synced state is lost"
    assert [line.split()[0] for line in lines(tmp_path / "w1")] == [str(number) for number in range(1, 151)]


def _is_up_on(apart: Cluster, node: str) -> bool:
    row = rows(apart.control, "counting")["counter"]
    return bool(row["worker"] == node and row["state"] == "up")


def test_nothing_is_made_anew_because_control_was_away(apart: Cluster, tmp_path: Path) -> None:
    made = counting(apart.control, STEADY, sender=["w1"], counter=["w2", "w3"], log=["w1"])
    assert started(apart.control, "counting", made).status == 201
    until(lambda: len(lines(tmp_path / "w1")) > 20, "events pass between workers")
    before = {name: (row["instance"], row["worker"]) for name, row in rows(apart.control, "counting").items()}
    words = ("--listen", apart.control.info["join"], "--port", "0", "--state-dir", str(apart.at / "control"))
    for seconds, end in ((0.1, "kill"), (5.0, "stop")):
        getattr(apart.control, end)()
        time.sleep(seconds)  # what is tried
        apart.control = apart.start("control", *words)
        until(
            lambda: {row["state"] for row in rows(apart.control, "counting").values()} == {"up"}, "all is known again"
        )
    until(lambda: len(lines(tmp_path / "w1")) == 150, "all have come")
    after = {name: (row["instance"], row["worker"]) for name, row in rows(apart.control, "counting").items()}
    assert after == before
    said = [line.split() for line in lines(tmp_path / "w1")]
    assert said == [[str(number), str(100 + number)] for number in range(1, 151)]


NAMED = """
def init(ctx, payload, state):
    ctx.delayed_cast(0.02, "self")

def cast(ctx, source, message):
    ctx.cast("to", ctx.self_id)
    ctx.delayed_cast(0.02, "self")
"""


def test_who_is_cut_off_from_control_is_not_heard_once_another_has_its_place(apart: Cluster, tmp_path: Path) -> None:
    with contextlib.closing(Relay(apart.control.info["join"])) as cable:
        _is_cut_off(apart, cable, tmp_path)


def _is_cut_off(apart: Cluster, cable: Relay, tmp_path: Path) -> None:
    at = ("--control", cable.address, "--state-dir", str(tmp_path / "w4"), "--name", "w4")
    cut = apart.workers["w4"] = apart.start("worker", *at, *WORKER, token=apart.token)
    sender = {"name": "sender", "artefact": uploaded(apart.control, NAMED), "outputs": {"to": {"to": ["log"]}}}
    log = {"name": "log", "resource": "file-log", "configuration": {"filename": "counts.log"}}
    nodes = {"sender": ["w4", "w2"], "log": ["w1"]}
    made = [{**one, "requires": {"nodes": nodes[str(one["name"])]}} for one in (sender, log)]
    assert started(apart.control, "named", made).status == 201

    def moved(to: str) -> bool:
        body = json.dumps({"to": [to], "component": "sender"}).encode()
        asked = apart.control.ask("POST", "/api/workflows/named/migrate", body, {"content-type": "application/json"})
        return asked.status in (200, 409)  # or it is there

    def heard(worker: str) -> int:
        return sum(line.endswith(f"@{worker}") for line in lines(tmp_path / "w1"))

    assert moved("w4")
    until(lambda: heard("w4") > 5, "it is heard")
    cable.cut()
    until(lambda: "this one was given up: 1 instances of workflows end" in cut.said, "it hears that it was given up")
    last = heard("w4")
    others = heard("w2")
    until(lambda: heard("w2") > others + 10, "another has its place")
    assert heard("w4") == last
    cable.mend()
    until(lambda: moved("w4"), "it is back")
    until(lambda: heard("w4") > last + 5, "and is heard again")


def test_what_nothing_runs_as_an_event_function_is_refused_with_why(whole: Whole) -> None:
    image = {"type": "image", "digest": "d" * 64}
    answer = started(whole, "boxed", [{"name": "box", "artefact": image}])
    assert answer.status == 503, answer
    assert "worker: an image cannot be an event function there" in answer.error["message"]
    assert whole.get("/api/workflows") == []
