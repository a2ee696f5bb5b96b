"""Modules of WebAssembly as event functions and as functions, on a real server."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from attacca.client.http import Client
from attacca.client.workflow_file import read
from attacca.client.workflows import started as begun
from attacca.worker.runtime.process.lineage import children
from tests.commands import ECHO, FAIL, HOG, PRINT, TRAP, WAIT, command, handling, serving, two_handed
from tests.live.apart import cluster
from tests.live.test_workflows import rows, started, uploaded
from tests.live.whole import Whole, deployment, running, until
from tests.relay import RELAY, assembled
from tests.trees import ROOT

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


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("skept|?", "it trapped: wasm trap: wasm `unreachable` instruction executed"),
        ("skept|f", "it trapped: it ran longer than 0.3 s (timeout_s)"),
        ("skept|u", "it trapped: what it sent is not UTF-8"),
        ("skept|b", "it trapped: it sent 17825792 bytes where 16777216 are the most"),
    ],
)
def test_a_trap_ends_the_instance_and_the_next_has_its_state(whole: Whole, words: str, why: str) -> None:
    name = f"trapping-{words[-1]}".replace("?", "x")
    relaying(whole, name, words, timeout_s=0.3)
    until(lambda: rows(whole, name)["relay"]["starts"] == 2, "it is started anew")
    until(lambda: rows(whole, name)["relay"]["state"] == "up", "and is up")
    until(lambda: "relay: kept" in said(whole, name, "relay"), "with what it had synced")
    assert why in said(whole, name, "relay")
    assert rows(whole, name)["echo"]["starts"] == 1
    assert whole.ask("DELETE", f"/api/workflows/{name}").status == 204


def test_calls_are_answered_or_fail_and_memory_has_an_end(whole: Whole) -> None:
    relaying(whole, "bounded", "Ce|Cn|m|lgoes on|Ct", memory_mb=64)
    expected = ["relay: hello", "relay: none", "relay: ", "relay: none", "relay: full", "relay: goes on", "relay: none"]

    def without_failures() -> list[str]:
        return [one for one in said(whole, "bounded", "relay") if "failed" not in one]

    until(lambda: without_failures()[:7] == expected, "all is said")
    until(lambda: rows(whole, "bounded")["echo"]["starts"] == 2, "whom a call has trapped is started anew")
    assert rows(whole, "bounded")["relay"]["starts"] == 1
    assert any("a call failed" in one and "trapped" in one for one in said(whole, "bounded", "relay"))
    assert whole.ask("DELETE", "/api/workflows/bounded").status == 204


def test_what_cannot_run_is_refused_with_why(whole: Whole) -> None:
    lacking = sent(whole, assembled(RELAY.replace('(export "handle_stop_asm")', "")))
    assert lacking.status == 422, lacking
    assert "does not export handle_stop_asm()" in lacking.error["message"]
    artefact = sent(whole, assembled()).value
    answer = started(whole, "broken", [{"name": "only", "artefact": artefact, "payload": "!"}])
    assert answer.status == 422, answer
    assert "handle_init_asm trapped: wasm trap: wasm `unreachable`" in answer.error["message"]
    damaged = sent(whole, assembled(RELAY.replace("(call $say (i32.const 96) (i32.const 7))", "(i32.const 7)")))
    answer = started(whole, "broken", [{"name": "only", "artefact": damaged.value}])
    assert answer.status == 422, answer
    assert "cannot be compiled" in answer.error["message"]
    assert "broken" not in [one["name"] for one in whole.get("/api/workflows")]


def test_the_example_counts_words(whole: Whole) -> None:
    with Client(f"http://127.0.0.1:{whole.port}") as client:
        view = begun(client, read(ROOT / "examples" / "workflows" / "words"), lambda _: None)
        assert {row["state"] for row in view["instances"]} == {"up"}
        log = whole.state / "resources" / "words.log"
        until(
            lambda: log.exists() and log.read_text().splitlines() == ["14/14", "7/21", "0/21", "11/32"],
            "all is counted",
        )
        client.request("DELETE", "/api/workflows/words")


def test_a_module_comes_to_workers_apart_and_nothing_outlives_them(tmp_path: Path) -> None:
    with cluster(tmp_path, workers=1) as made:
        relaying(made.control, "relaying", "lone|Cwords")
        until(lambda: "relay: words" in said(made.control, "relaying", "relay"), "it has said all")
        assert "done" in deployed(made.control, "handle", handling())
        (gateway,) = made.gateways.values()
        assert gateway.ask("POST", "/function/handle", b"body").body == b"body"
        (worker,) = made.workers.values()
        hosts = [pid for pid in below(worker.pid) if runs_modules(pid)]
        assert len(hosts) > 3, "some wait"
        worker.kill()
        until(lambda: not any(runs_modules(pid) for pid in hosts), "all are gone with it")


def below(pid: int) -> list[int]:
    return [one for child in children(pid) for one in (child, *below(child))]


def runs_modules(pid: int) -> bool:
    """It has wasmtime in its memory."""
    try:
        return "_libwasmtime" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


def deployed(whole: Whole, name: str, module: bytes, **settings: Any) -> Any:
    """The last word of a deployment."""
    body, kind = deployment(name, packed(module), **settings)
    return json.loads(whole.ask("POST", "/api/functions", body, kind).body.splitlines()[-1])


def test_a_command_and_a_component_are_functions(whole: Whole) -> None:
    for name, module, handler in (("echo", command(PRINT), "command"), ("handle", handling(), "handle")):
        assert deployed(whole, name, module)["done"]["handler"] == handler
        answer = whole.ask("POST", f"/function/{name}", b'{"a":1}')
        assert (answer.status, answer.body) == (200, b'{"a":1}'), answer
        assert answer.headers["x-attacca-start"] == "template"
    until(lambda: "hello" in whole.logs("echo"), "what it says is in its log")
    assert deployed(whole, "both", two_handed(), pure=True)["done"]["handler"] == "handle"
    form = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\n\r\n{name} \r\n'
        for name in ("right-hand", "left")
    )
    answer = whole.ask(
        "POST", "/function/both", f"{form}--x--".encode(), {"content-type": "multipart/form-data; boundary=x"}
    )
    assert (answer.status, answer.body) == (200, b"left right-hand "), answer
    assert whole.ask("POST", "/function/both", b"{}", {"content-type": "application/json"}).status == 400
    assert deployed(whole, "web", serving())["done"]["handler"] == "http"
    assert whole.ask("POST", "/function/web").status == 418


def test_what_goes_wrong_in_one_is_told_in_a_sentence(whole: Whole) -> None:
    told = {
        "fails": (FAIL, "it exited with status 3: hello"),
        "traps": (TRAP, "it trapped: wasm trap: wasm `unreachable` instruction executed"),
        "hogs": (HOG, "the function went over its memory of 64 MB"),
        "waits": (WAIT, "'waits' was not done within 0.5 s"),
    }
    for name, (body, why) in told.items():
        clocks = {"timeout_s": 0.5} if name == "waits" else {}
        assert "done" in deployed(whole, name, command(body), memory_mb=64, **clocks), name
        answer = whole.ask("POST", f"/function/{name}")
        assert why in answer.error["message"], answer
    refused = deployed(whole, "none", bytes(wasmtime.wat2wasm("(module)")))
    assert "it does not export _start()" in refused["error"]["message"]
    refused = deployed(whole, "large", command(ECHO).replace(b"\5\3\1\0\2", b"\5\4\1\0\x80\x20"), memory_mb=64)
    assert "no instance of it can be made within 48 MB" in refused["error"]["message"]


def test_ten_megabytes_go_in_and_come_out_and_where_they_do_not_it_is_told(whole: Whole) -> None:
    large, roomy = bytes(range(256)) * 40_960, handling(pages=100)
    for name, module, memory_mb in (("command", command(ECHO), 64), ("roomy", roomy, 512), ("small", roomy, 64)):
        assert "done" in deployed(whole, f"large-{name}", module, memory_mb=memory_mb), name
    answer = whole.ask("POST", "/function/large-command", large)
    assert (answer.status, answer.body == large) == (200, True), answer.status
    answer = whole.ask("POST", "/function/large-roomy", large[: 3 << 20])
    assert "its answer, or a piece of that, has more than 2.6 MB" in answer.error["message"]
    answer = whole.ask("POST", "/function/large-small", large[: 3 << 20])
    assert answer.error["code"] == "out_of_memory", answer
    assert whole.ask("POST", "/function/large-small", b"small").body == b"small"
