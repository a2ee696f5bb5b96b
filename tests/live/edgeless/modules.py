"""EDGELESS's own modules, as they were built, on workers of ours: what they are told, say and send is as there. `make
edgeless` says in $EDGELESS where its source is."""

import json
from collections.abc import Iterator

import pytest

from tests.live.edgeless.nodes import ASKER, module
from tests.live.test_workflow_wasm import said
from tests.live.test_workflows import rows, started, uploaded
from tests.live.whole import Whole, running, until

CASTER = """
def init(ctx, payload, state):
    for text in payload.text.split("|"):
        ctx.cast("to", text)

def cast(ctx, source, message): ...
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("modules") / "state", "--workers", "2") as made:
        made.port = int(made.info["admin"].rpartition(":")[2])
        yield made


def test_messaging_test_speaks_in_all_the_ways_that_it_can(whole: Whole) -> None:
    code = uploaded(whole, ASKER)
    parts = [
        {"name": "asker", "artefact": code, "payload": "", "outputs": {"to": {"to": ["messages"]}}},
        {"name": "messages", "artefact": module(whole, "messaging_test"), "outputs": {"test": {"to": ["end"]}}},
        {"name": "end", "artefact": code},
        {"name": "other", "artefact": uploaded(whole, CASTER), "payload": "what it does not know|"}
        | {"outputs": {"to": {"to": ["messages"]}}},
    ]
    answer = started(whole, "speaks", parts)
    assert answer.status == 201, answer
    replies = ["came begin", "test_ret test_reply", "test_err CallFailed", "else None", "came cast_raw_output"]
    until(lambda: said(whole, "speaks", "asker") == replies, "it is answered")
    heard = {"came cast_output", "came delayed_cast_output", "called call_output"}
    until(lambda: set(said(whole, "speaks", "end")) == heard, "all have come")
    unknown = ["messaging_test: Unprocessed Message"] * 2
    logged = ["CallError: the module answered with an error", "messaging_test: Messaging Test Init", *unknown]
    until(lambda: sorted(said(whole, "speaks", "messages")) == logged, "it has said what it says")
    assert rows(whole, "speaks")["messages"]["starts"] == 1
    assert whole.ask("DELETE", "/api/workflows/speaks").status == 204


def test_state_test_finds_its_state_where_it_moves(whole: Whole) -> None:
    """In EDGELESS it would not: there it is in a file of the node."""
    parts = [
        {"name": "keeps", "artefact": module(whole, "state_test")},
        {"name": "caster", "artefact": uploaded(whole, CASTER), "payload": "test_cast_raw_output"}
        | {"outputs": {"to": {"to": ["keeps"]}}},
    ]
    assert started(whole, "keeps", parts).status == 201
    until(lambda: said(whole, "keeps", "keeps") == ["state_test: no_state"], "it begins without")
    until(lambda: rows(whole, "keeps")["keeps"]["seen"]["handled"], "it has synced")
    other = "worker-2" if rows(whole, "keeps")["keeps"]["worker"] == "worker-1" else "worker-1"
    body = json.dumps({"to": [other], "component": "keeps"}).encode()
    moved = whole.ask("POST", "/api/workflows/keeps/migrate", body, {"content-type": "application/json"})
    assert moved.status == 200, moved
    until(lambda: said(whole, "keeps", "keeps")[1:] == ["edgeless_test_state: new_state"], "it has it there")
    assert whole.ask("DELETE", "/api/workflows/keeps").status == 204


def test_a_tree_of_system_tests_halves_what_it_is_given(whole: Whole) -> None:
    code, outputs = module(whole, "system_test"), {"log": {"to": ["file"]}}
    first = {"out1": {"to": ["f2"]}, "out2": {"to": ["f3"]}, **outputs}
    parts = [
        {"name": "f1", "artefact": code, "payload": "8", "outputs": first},
        *({"name": name, "artefact": code, "outputs": outputs} for name in ("f2", "f3")),
        {"name": "file", "resource": "file-log", "configuration": {"filename": "tree.log"}},
    ]
    answer = started(whole, "tree", parts)
    assert answer.status == 201, answer
    file = whole.state / rows(whole, "tree")["file"]["worker"] / "resources" / "tree.log"
    until(lambda: file.exists() and sorted(file.read_text().split()) == ["4", "7", "8"], "each is there once")
    assert whole.ask("DELETE", "/api/workflows/tree").status == 204
