"""Orchestration from outside: the domain over HTTP, on real planes."""

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
    with Client(apart.control.info["url"]) as client:
        lines = client.lines("GET", "/api/domain/changes")
        kinds = [next(lines)["kind"] for _ in range(7)]
        assert kinds == ["node"] * 2 + ["provider"] * 2 + ["component"] * 3
        assert next(lines)["kind"] == "node", "its load changes every second"
