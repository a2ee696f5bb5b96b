"""Nodes of EDGELESS that join: a stand-in for one says what its wire has, and hosts what is simple."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.apart import cluster
from tests.live.edgeless_node import StandIn
from tests.live.stores import free_port
from tests.live.test_workflow_wasm import said, sent
from tests.live.test_workflows import started, uploaded
from tests.live.whole import Whole, running, until
from tests.relay import assembled

PYTHON = """
def init(ctx, payload, state):
    if payload is not None:
        ctx.cast("to", "begun")
        ctx.cast("self", payload.text)

def cast(ctx, source, message):
    print("came", message.text)
    if "|" in message.text:
        for text in message.text.split("|"):
            try:
                reply = ctx.call("to", text)
                print("reply", None if reply is None else reply.text)
            except Exception as error:
                print(type(error).__name__, error)

def call(ctx, source, message):
    return f"python has {message.text}"
"""


class Domain:
    def __init__(self, whole: Whole, nodes: str) -> None:
        self.whole, self.nodes = whole, nodes

    def names(self) -> list[str]:
        return [row["name"] for row in self.whole.get("/api/nodes")]

    def rows(self, workflow: str) -> dict[str, Any]:
        return {row["component"]: row for row in self.whole.get(f"/api/workflows/{workflow}")["instances"]}

    def log(self, workflow: str) -> str:
        return self.whole.ask("GET", f"/api/workflows/{workflow}/logs").body.decode()


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Domain]:
    port = free_port()
    setting = f"workflows.edgeless_nodes_url=http://127.0.0.1:{port}"
    with running(tmp_path_factory.mktemp("state"), "--set", setting) as whole:
        yield Domain(whole, f"127.0.0.1:{port}")


@contextlib.contextmanager
def joined(domain: Domain, **about: Any) -> Iterator[StandIn]:
    node = StandIn(domain.nodes, **about)
    try:
        node.register()
        until(lambda: name(node) in domain.names())
        yield node
    finally:
        node.kill()
        until(lambda: name(node) not in domain.names())


def name(node: StandIn) -> str:
    return f"edgeless:{node.id}"


def chain(domain: Domain, workflow: str, label: str = "far", calls: str = "", **more: Any) -> Any:
    """Python, a module on a node of that label, and Python again."""
    code, module = uploaded(domain.whole, PYTHON), sent(domain.whole, assembled()).value
    requires = {"requires": {"labels": [label]}} if label else {}
    middle = {"name": "middle", "artefact": module, "timeout_s": 3.0, "outputs": {"out": {"to": ["last"]}}}
    parts = [
        {"name": "first", "artefact": code, "payload": calls, "outputs": {"to": {"to": ["middle"]}}},
        {**middle, **requires, **more, "payload": "hello"},
        {"name": "last", "artefact": code},
    ]
    return started(domain.whole, workflow, parts)


def states(domain: Domain, workflow: str) -> dict[str, str]:
    return {part: row["state"] for part, row in domain.rows(workflow).items()}


def stop(domain: Domain, workflow: str) -> None:
    assert domain.whole.ask("DELETE", f"/api/workflows/{workflow}").status == 204


def test_a_node_hosts_what_fits_and_its_events_go_both_ways(domain: Domain) -> None:
    with joined(domain, labels=("far",)) as node:
        answer = chain(domain, "both", calls="ask who|fail|nothing|lost|hello")
        assert answer.status == 201, answer
        rows = domain.rows("both")
        assert {part: row["worker"] for part, row in rows.items()} == {
            "first": "worker",
            "middle": name(node),
            "last": "worker",
        }
        (instance,) = node.instances.values()
        assert dict(instance.annotations) == {"init-payload": "hello"}
        assert (instance.code.function_type, instance.code.binary) == ("RUST_WASM", assembled())
        expected = [
            "came ask who|fail|nothing|lost|hello", "reply python has who", "CallFailed it replied with an error",
            "reply None", "CallFailed it did not reply within 3 s", "reply HELLO",
        ]  # fmt: skip
        until(lambda: len(said(domain.whole, "both", "first")) == len(expected))
        assert said(domain.whole, "both", "first") == expected
        assert said(domain.whole, "both", "last") == ["came begun>"]
        assert [kind for kind, _ in node.handled] == ["CAST", *["CALL"] * 5]
        stop(domain, "both")
        assert node.instances == {}
        assert len(node.stopped) == 1


def test_a_node_that_dies_or_begins_anew_has_nothing_and_what_it_hosted_runs_elsewhere(domain: Domain) -> None:
    with joined(domain, labels=("far",)) as one, joined(domain, labels=("far",)) as other:
        assert chain(domain, "moves").status == 201
        first = one if one.instances else other
        second = other if first is one else one
        assert domain.rows("moves")["middle"]["worker"] == name(first)
        first.kill()
        until(lambda: domain.rows("moves")["middle"]["worker"] == name(second))
        until(lambda: domain.rows("moves")["middle"]["state"] == "up")
        (gone,) = first.instances
        first.send(gone, first.outputs[gone]["out"], StandIn.CAST, "late")
        (before,) = second.instances
        second.nonce += 1
        until(lambda: domain.rows("moves")["middle"]["starts"] == 3)
        until(lambda: domain.rows("moves")["middle"]["state"] == "up")
        assert second.resets == 2
        assert before not in second.instances
        (last,) = second.instances
        second.send(last, second.outputs[last]["out"], StandIn.CAST, "heard")
        until(lambda: said(domain.whole, "moves", "last")[-1:] == ["came heard"])
        assert "came late" not in said(domain.whole, "moves", "last"), "its place was given to another"
        stop(domain, "moves")


def test_one_that_stands_by_on_a_node_takes_over(domain: Domain) -> None:
    with joined(domain, labels=("far",)) as one, joined(domain, labels=("far",)) as other:
        assert chain(domain, "guarded", replicas=2, standby="hot").status == 201
        until(lambda: domain.rows("guarded")["middle~2"]["state"] == "standby")
        first = one if one.instances else other
        second = other if first is one else one
        assert (domain.rows("guarded")["middle~2"]["worker"], second.instances) == (name(second), {})
        ready = domain.rows("guarded")["middle~2"]["instance"]
        first.kill()
        until(lambda: domain.rows("guarded")["middle"]["worker"] == name(second))
        until(lambda: domain.rows("guarded")["middle"]["state"] == "up")
        assert domain.rows("guarded")["middle"]["instance"] == ready
        assert len(second.instances) == 1
        stop(domain, "guarded")


def test_a_cordoned_node_is_given_nothing_new_and_what_is_there_can_move_away(domain: Domain) -> None:
    with joined(domain, labels=("far",)) as node:
        assert chain(domain, "stays").status == 201
        path = f"/api/nodes/{name(node)}/cordon"
        body, form = b'{"on": true}', {"content-type": "application/json"}
        assert domain.whole.ask("POST", path, body, form).value == {"cordoned": True}
        assert domain.whole.get(f"/api/nodes/{name(node)}")["cordoned"]
        stop(domain, "stays")


TICKING = """
def init(ctx, payload, state):
    ctx.delayed_cast(0.02, "self", "1")

def cast(ctx, source, message):
    ctx.cast("to", message)
    ctx.delayed_cast(0.02, "self", str(int(message) + 1))
"""


def test_nothing_on_a_node_is_made_anew_because_control_was_away(tmp_path: Path) -> None:
    """What is sent to it meanwhile is with its senders; what it sends finds nobody."""
    port = free_port()
    words = ("--set", f"workflows.edgeless_nodes_url=http://127.0.0.1:{port}")
    with cluster(tmp_path, workers=1, words=words) as apart:
        domain = Domain(apart.control, f"127.0.0.1:{port}")
        with joined(domain, labels=("far",)) as one, joined(domain, labels=("far",)) as other:
            module = sent(domain.whole, assembled()).value
            parts = [
                {"name": "ticks", "artefact": uploaded(domain.whole, TICKING), "outputs": {"to": {"to": ["middle"]}}},
                {"name": "middle", "artefact": module, "outputs": {"out": {"to": ["last"]}}, "payload": "8"}
                | {"requires": {"labels": ["far"]}, "replicas": 2, "standby": "hot"},
                {"name": "last", "artefact": uploaded(domain.whole, PYTHON)},
            ]
            assert started(domain.whole, "ticking", parts).status == 201
            node, guard = (one, other) if one.instances else (other, one)
            all_there = {"ticks": "up", "middle": "up", "middle~2": "standby", "last": "up"}
            until(lambda: states(domain, "ticking") == all_there, "one stands by")

            def numbers() -> list[int]:
                lines = said(domain.whole, "ticking", "last")
                return [int(line.removeprefix("came ").removesuffix(">")) for line in lines]

            until(lambda: len(numbers()) > 5, "events pass")
            before, hosted = domain.rows("ticking"), dict(node.instances)
            at = ("--listen", apart.control.info["join"], "--port", "0", "--state-dir", str(apart.at / "control"))
            for end in ("kill", "stop"):
                getattr(apart.control, end)()
                domain.whole = apart.control = apart.start("control", *at, *words)
                until(lambda: states(domain, "ticking") == all_there, "all is known again")
                until(lambda: {name(node), name(guard)} <= set(domain.names()), "the nodes are too")
                had = len(numbers())
                until(lambda had=had: len(numbers()) > had + 5, "events pass again")  # type: ignore[misc]  # of a default
            after = domain.rows("ticking")
            assert [row["instance"] for row in after.values()] == [row["instance"] for row in before.values()]
            assert (node.instances, node.resets) == (hosted, 1)
            assert (guard.instances, guard.resets) == ({}, 1)
            found = numbers()
            missing = set(range(1, max(found))) - set(found)
            assert len(missing) <= 6, (missing, "what the node had in hand when control ended")
            node.kill()
            until(lambda: domain.rows("ticking")["middle"]["worker"] == name(guard), "it takes over")
            until(lambda: domain.rows("ticking")["middle"]["state"] == "up")
            assert domain.rows("ticking")["middle"]["instance"] == before["middle~2"]["instance"]
            (begun,) = guard.instances.values()
            assert dict(begun.annotations) == {"init-payload": "8"}
            stop(domain, "ticking")
            assert guard.instances == {}
