"""Orchestration from outside: the domain over HTTP, on real planes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from attacca.client.http import Client
from tests.live.apart import Cluster, cluster
from tests.live.test_workflows import counting, started
from tests.live.whole import until

TICKER = """
def init(ctx, payload, state):
    ctx.delayed_cast(0.05, "self", "1")

def cast(ctx, source, message):
    ctx.cast("to", message)
    ctx.delayed_cast(0.05, "self", str(int(message) + 1))
"""


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("domain"), workers=2, gateways=0) as made:
        made_of = counting(made.control, TICKER, sender=["w1"], counter=["w1", "w2"], log=["w1"])
        assert started(made.control, "counting", made_of).status == 201
        yield made


def component(apart: Cluster, name: str) -> dict[str, Any]:
    state = apart.control.get("/api/domain/state")
    found: dict[str, Any] = next(one for one in state["components"] if one["component"] == name)
    return found


def test_the_state_says_where_everything_is(apart: Cluster) -> None:
    state = apart.control.get("/api/domain/state")
    assert state["domain"] == "attacca"
    assert [node["name"] for node in state["nodes"]] == ["w1", "w2"]
    assert {one["component"] for one in state["components"]} == {"sender", "counter", "log"}
    assert component(apart, "sender")["instances"][0]["node"] == "w1"
    until(lambda: all(one["load"] for one in apart.control.get("/api/domain/state")["nodes"]), "they are measured")


def test_changes_begin_with_all_that_there_is_and_go_on(apart: Cluster) -> None:
    providers = len(apart.control.get("/api/domain/state")["providers"])
    with Client(apart.control.info["url"]) as client:
        lines = client.lines("GET", "/api/domain/changes?follow=true")
        kinds = [next(lines)["kind"] for _ in range(2 + providers + 3)]
        assert kinds == ["node"] * 2 + ["provider"] * providers + ["component"] * 3
        assert next(lines)["kind"] == "node", "its load changes every second"


def test_changes_are_told_as_events_from_where_somebody_left(apart: Cluster) -> None:
    def heard(**more: str) -> list[bytes]:
        headers = {"accept": "text/event-stream", **{name.replace("_", "-"): value for name, value in more.items()}}
        answer = apart.control.ask("GET", "/api/domain/changes", b"", headers)
        assert answer.headers["content-type"].startswith("text/event-stream")
        return answer.body.splitlines()

    first = heard()
    assert first[0] == b"event: all"
    seen = next(line for line in reversed(first) if line.startswith(b"id: ")).removeprefix(b"id: ").decode()
    assert b"event: all" not in heard(last_event_id=seen)
    assert heard(last_event_id="0-1")[0] == b"event: all"


def asked(apart: Cluster, *intents: dict[str, Any], dry_run: bool = False) -> list[dict[str, Any]]:
    body = json.dumps({"intents": intents, "dry_run": dry_run}).encode()
    answer = apart.control.ask("POST", "/api/domain/intents", body, {"content-type": "application/json"})
    assert answer.status == 200, answer
    found: list[dict[str, Any]] = answer.value
    return found


def place(apart: Cluster, name: str) -> str:
    found: str = component(apart, name)["instances"][0]["node"]
    return found


def test_intents_are_obeyed_in_their_order_and_what_cannot_be_is_refused(apart: Cluster) -> None:
    counter, sender = component(apart, "counter"), component(apart, "sender")
    here = place(apart, "counter")
    there = "w2" if here == "w1" else "w1"
    ids = {node["name"]: node["id"] for node in apart.control.get("/api/domain/state")["nodes"]}
    move = {"intent": "migrate", "component": counter["id"], "to": [ids[there]]}
    back = {"intent": "migrate", "component": counter["name"], "to": [here]}
    cordon, uncordon = ({"intent": kind, "node": there} for kind in ("cordon", "uncordon"))
    pinned = {"intent": "migrate", "component": sender["name"], "to": ["w2", "w9"]}
    plan = (cordon, move, uncordon, move, pinned)
    outcomes = ["do", "refused", "do", "do", "refused"]
    assert [one["outcome"] for one in asked(apart, *plan, dry_run=True)] == outcomes
    assert place(apart, "counter") == here, "so far nothing was done"
    verdicts = asked(apart, *plan)
    assert [one["outcome"] for one in verdicts] == ["done" if one == "do" else one for one in outcomes], verdicts
    assert verdicts[1]["why"] == f"{there} is cordoned"
    assert verdicts[4]["why"].endswith("there is no node 'w9'")
    assert place(apart, "counter") == there
    assert [one["outcome"] for one in asked(apart, move, back)] == ["nothing", "done"]
    counts = apart.control.get("/api/domain/state")["intents"]
    assert {**counts, "reasons": sum(counts["reasons"].values())} == {
        "done": 4, "nothing": 1, "refused": 2, "reasons": 2,
    }  # fmt: skip
    assert 'attacca_intents_total{outcome="done"} 4.0' in apart.control.ask("GET", "/metrics").body.decode()
    until(lambda: component(apart, "counter")["instances"][0]["handled"] > 3, "it is told what it has handled")


def test_what_is_no_intent_is_refused_with_its_field(apart: Cluster) -> None:
    def refused(body: object) -> str:
        answer = apart.control.ask(
            "POST", "/api/domain/intents", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        assert answer.status == 400, answer
        return answer.error["message"]

    assert "length >= 1" in refused({"intents": []})
    assert "Invalid value 'scale'" in refused({"intents": [{"intent": "scale", "node": "w1"}]})
    assert "missing required field `to`" in refused({"intents": [{"intent": "migrate", "component": "a"}]})
    assert "unknown field `force`" in refused({"intents": [{"intent": "cordon", "node": "w1", "force": True}]})
    assert "Expected `bool`" in refused({"intents": [{"intent": "cordon", "node": "w1"}], "dry_run": 1})
