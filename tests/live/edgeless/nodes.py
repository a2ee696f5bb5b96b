"""EDGELESS's own nodes, as they are, in a domain: `make edgeless` builds them, and says in $EDGELESS where its source
and what was built of it are. Not among all live tests: the build takes minutes."""

import os
import re
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.apart import cluster
from tests.live.stores import free_port
from tests.live.test_workflow_wasm import packed, said
from tests.live.test_workflows import rows, started, uploaded
from tests.live.whole import Whole, deployment, running, until

SOURCE = Path(os.environ.get("EDGELESS", ""))
BUSY_S = 60.0  # a node that was built for debugging compiles each instance anew
SETTINGS = """
[general]
node_id = "{id}"
agent_url = "http://127.0.0.1:{agent}"
agent_url_announced = "http://127.0.0.1:{agent}"
invocation_url = "http://127.0.0.1:{invocation}"
invocation_url_announced = "http://127.0.0.1:{invocation}"
node_register_url = "http://127.0.0.1:{register}"
subscription_refresh_interval_sec = 2

[telemetry]
metrics_url = "http://127.0.0.1:{metrics}"
performance_samples = true

[wasm_runtime]
enabled = true

[resources]
prepend_hostname = true
file_log_provider = "file-log-1"

[user_node_capabilities]
num_cpus = 2
model_name_cpu = ""
clock_freq_cpu = 2000.0
num_cores = 2
mem_size = 4096
labels = ["edge", "{label}"]
is_tee_running = false
has_tpm = false
disk_tot_space = 1000
num_gpus = 0
model_name_gpu = ""
mem_size_gpu = 0
"""
ASKER = """
def init(ctx, payload, state):
    if payload is not None:
        ctx.cast("self", "begin")

def cast(ctx, source, message):
    print("came", message.text)
    if message == b"begin":
        for what in ("test_ret", "test_err", "else"):
            try:
                reply = ctx.call("to", what)
                print(what, None if reply is None else reply.text)
            except Exception as error:
                print(what, type(error).__name__)
        for what in ("cast_raw", "cast", "delayed_cast", "call"):
            ctx.cast("to", f"test_{what}_output")

def call(ctx, source, message):
    print("called", message.text)
    return "answered"
"""
TICKS = """
class Ticks:
    def init(self, ctx, payload, state):
        self.n, self.is_begun = 0, False
        if payload is not None:
            ctx.cast("out", "0")

    def cast(self, ctx, source, message):
        if message == b"tick":
            self.n += 1
            ctx.cast("out", str(2 * self.n))
        elif message != b"back":
            print(message.text)
            ctx.cast("back", "back")
            return
        if message == b"tick" or not self.is_begun:
            self.is_begun = True
            ctx.delayed_cast(0.5, "self", "tick")
"""


class Node:
    """A real one, in a directory of its own."""

    def __init__(self, directory: Path, register: int, label: str) -> None:
        self.id, self.directory = str(uuid.uuid4()), directory
        directory.mkdir()
        ports = {name: free_port() for name in ("agent", "invocation", "metrics")}
        text = SETTINGS.format(id=self.id, register=register, label=label, **ports)
        (directory / "node.toml").write_text(text)
        program = SOURCE / "target" / "debug" / "edgeless_node_d"
        with (directory / "log").open("wb") as log:
            command = [str(program), "-c", "node.toml"]
            environment = {**os.environ, "RUST_LOG": "info"}
            self._process = subprocess.Popen(command, cwd=directory, env=environment, stdout=log, stderr=log)

    @property
    def name(self) -> str:
        return f"edgeless:{self.id}"

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


Domain = tuple[Whole, Node, Node]


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Domain]:
    assert (SOURCE / "target").is_dir(), "make edgeless builds it, and says where it is"
    place, port = tmp_path_factory.mktemp("edgeless"), free_port()
    with running(place / "state", "--set", f"workflows.edgeless_nodes_url=http://127.0.0.1:{port}") as whole:
        nodes = [Node(place / label, port, label) for label in ("one", "two")]
        try:
            names = {node.name for node in nodes}
            until(lambda: names <= {row["name"] for row in whole.get("/api/nodes")}, "they have joined", BUSY_S)
            yield whole, nodes[0], nodes[1]
        finally:
            for node in nodes:
                node.kill()


def module(whole: Whole, name: str) -> Any:
    code = (SOURCE / "functions" / name / f"{name}.wasm").read_bytes()
    answer = whole.ask("POST", "/api/code", *deployment("code", packed(code)))
    assert answer.status == 201, answer
    return answer.value


def on(label: str) -> dict[str, Any]:
    return {"requires": {"labels": [label]}}


def test_a_module_of_its_own_speaks_with_python_on_a_worker_in_all_the_ways_that_it_can(domain: Domain) -> None:
    whole, one, _ = domain
    code = uploaded(whole, ASKER)
    parts = [
        {"name": "asker", "artefact": code, "payload": "", "outputs": {"to": {"to": ["messages"]}}},
        {"name": "messages", "artefact": module(whole, "messaging_test"), "outputs": {"test": {"to": ["end"]}}}
        | on("one"),
        {"name": "end", "artefact": code},
    ]
    answer = started(whole, "speaks", parts)
    assert answer.status == 201, answer
    rows = {row["component"]: row["worker"] for row in answer.value["instances"]}
    assert rows["messages"] == one.name
    replies = ["came begin", "test_ret test_reply", "test_err CallFailed", "else None", "came cast_raw_output"]
    until(lambda: said(whole, "speaks", "asker") == replies, "it is answered", BUSY_S)
    heard = {"came cast_output", "came delayed_cast_output", "called call_output"}
    until(lambda: set(said(whole, "speaks", "end")) == heard, "all have come", BUSY_S)
    assert whole.ask("DELETE", "/api/workflows/speaks").status == 204


def test_a_resource_of_its_own_hears_a_module_on_another_node(domain: Domain) -> None:
    whole, _, two = domain
    parts = [
        {"name": "halves", "artefact": module(whole, "system_test"), "payload": "8"}
        | {"outputs": {"out1": {"to": ["file"]}}} | on("one"),
        {"name": "file", "resource": "file-log", "configuration": {"filename": "said.log"}} | on("two"),
    ]  # fmt: skip
    assert started(whole, "writes", parts).status == 201
    file = two.directory / "said.log"
    until(lambda: file.exists() and file.read_text() == "4\n", "it is written", BUSY_S)
    assert whole.ask("DELETE", "/api/workflows/writes").status == 204


def test_of_a_killed_node_all_runs_elsewhere_and_what_was_sent_meanwhile_comes(domain: Domain) -> None:
    """The last: there is one less. It begins when the node has compiled: what that has taken is lost with it."""
    whole, one, two = domain
    code = uploaded(whole, TICKS)
    parts = [
        {"name": "begin", "artefact": code, "payload": "", "outputs": {"out": {"to": ["halves"]}}},
        {"name": "halves", "artefact": module(whole, "system_test"), "outputs": {"out1": {"to": ["end"]}}} | on("edge"),
        {"name": "end", "artefact": code, "outputs": {"back": {"to": ["begin"]}}},
    ]
    answer = started(whole, "lives", parts)
    assert answer.status == 201, answer
    at = next(row["worker"] for row in answer.value["instances"] if row["component"] == "halves")
    first, second = (one, two) if at == one.name else (two, one)
    until(lambda: len(said(whole, "lives", "end")) > 5, "they come", BUSY_S)
    first.kill()

    def row() -> Any:
        return next(row for row in whole.get("/api/workflows/lives")["instances"] if row["component"] == "halves")

    until(lambda: (row()["worker"], row()["state"]) == (second.name, "up"), "it is elsewhere", BUSY_S)
    seen = len(said(whole, "lives", "end"))
    until(lambda: len(said(whole, "lives", "end")) > seen + 5, "they come again", BUSY_S)
    numbers = [int(line) for line in said(whole, "lives", "end") if re.fullmatch(r"\d+", line)]
    lost = sorted({*range(numbers[-1])} - {*numbers})
    assert len(lost) <= 1, (numbers, lost)
    assert whole.ask("DELETE", "/api/workflows/lives").status == 204


def test_a_node_goes_on_with_what_it_hosts_when_control_begins_anew(tmp_path: Path) -> None:
    port = free_port()
    words = ("--set", f"workflows.edgeless_nodes_url=http://127.0.0.1:{port}")
    with cluster(tmp_path, workers=1, words=words) as apart:
        node = Node(tmp_path / "node", port, "one")
        try:
            until(
                lambda: node.name in {row["name"] for row in apart.control.get("/api/nodes")}, "it has joined", BUSY_S
            )
            code = uploaded(apart.control, TICKS)
            parts = [
                {"name": "begin", "artefact": code, "payload": "", "outputs": {"out": {"to": ["halves"]}}},
                {
                    "name": "halves",
                    "artefact": module(apart.control, "system_test"),
                    "outputs": {"out1": {"to": ["end"]}},
                }
                | on("one"),
                {"name": "end", "artefact": code, "outputs": {"back": {"to": ["begin"]}}},
            ]
            assert started(apart.control, "goes-on", parts).status == 201
            until(lambda: len(said(apart.control, "goes-on", "end")) > 3, "they come", BUSY_S)
            before = rows(apart.control, "goes-on")["halves"]["instance"]
            apart.control.kill()
            at = ("--listen", apart.control.info["join"], "--port", "0", "--state-dir", str(apart.at / "control"))
            apart.control = apart.start("control", *at, *words)
            until(lambda: len(said(apart.control, "goes-on", "end")) > 8, "they come again", BUSY_S)
            assert rows(apart.control, "goes-on")["halves"]["instance"] == before
        finally:
            node.kill()
