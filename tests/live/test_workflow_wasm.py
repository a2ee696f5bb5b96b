"""Modules of WebAssembly as event functions, on a real server."""

import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.test_workflows import rows, started, uploaded
from tests.live.whole import Whole, deployment, running, until
from tests.relay import assembled

FEEDER = """
def init(ctx, payload, state):
    for word in payload.text.split("|"):
        ctx.cast("to", word)

def cast(ctx, source, message):
    print("heard", message.text)

def call(ctx, source, message):
    return message.text.upper()
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("wasm") / "state") as made:
        yield made


def packed(module: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("relay.wasm")
        entry.size = len(module)
        archive.addfile(entry, io.BytesIO(module))
    return buffer.getvalue()


def sent(whole: Whole, module: bytes) -> Any:
    return whole.ask("POST", "/api/code", *deployment("code", packed(module)))


def relaying(whole: Whole, name: str, words: str, **settings: Any) -> Any:
    """A relay that a feeder casts these words to, and that casts and calls an echo."""
    answer = sent(whole, assembled())
    assert answer.status == 201, answer
    artefact, feeder = answer.value, uploaded(whole, FEEDER)
    outputs = {"out": {"to": ["echo"]}}
    components = [
        {"name": "relay", "artefact": artefact, "payload": "hello", "outputs": outputs, **settings},
        {"name": "echo", "artefact": artefact},
        {"name": "feeder", "artefact": feeder, "payload": words, "outputs": {"to": {"to": ["relay"]}}},
    ]
    answer = started(whole, name, components)
    assert answer.status == 201, answer
    return answer.value


def said(whole: Whole, name: str, component: str) -> list[str]:
    written = whole.ask("GET", f"/api/workflows/{name}/logs?component={component}").body.splitlines()
    return [json.loads(line)["text"] for line in written]


def test_a_module_casts_calls_logs_and_answers(whole: Whole) -> None:
    relaying(whole, "relaying", "lone|clgone|Cwords|rback|Rsource|dldelayed|xlself")
    expected = ["relay: hello", "relay: one", "relay: words", "relay: SOURCE", "relay: delayed", "relay: self"]
    until(lambda: sorted(said(whole, "relaying", "relay")) == sorted(expected), "it has said all")
    until(lambda: said(whole, "relaying", "echo") == ["relay: gone"], "what it casts comes")
    until(lambda: said(whole, "relaying", "feeder") == ["heard back"], "what it sends back comes")
    assert {row["starts"] for row in rows(whole, "relaying").values()} == {1}
    assert whole.ask("DELETE", "/api/workflows/relaying").status == 204
    assert whole.worker()["sandboxes"] == []
