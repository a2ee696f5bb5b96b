"""The dialect that follows EDGELESS, asked by a client of its own proto: what its command line asks, and what it never
would."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty

from attacca.workflow.dialects.edgeless.words import PROTO
from tests.live.patience import PATIENCE_S
from tests.live.stores import free_port
from tests.live.whole import Whole, running, until

words = grpc.protos(PROTO)
KINDS = {
    "Start": words.SpawnWorkflowResponse, "Stop": Empty, "List": words.WorkflowIdList,
    "Inspect": words.WorkflowInstanceInfo, "Domains": words.DomainCapabilitiesList,
    "Migrate": words.SpawnWorkflowResponse,
}  # fmt: skip
SENDER = b"""
def init(ctx, payload, state):
    ctx.cast("out", payload.text)
    ctx.log("begun", "debug", "bench")

def call(ctx, source, message):
    return message
"""
ECHO = b"""
def cast(ctx, source, message):
    print(message.text, source.startswith(ctx.self_id.partition("@")[0]))
"""
RAISES = b"""
def init(ctx, payload, state):
    raise ValueError("as asked")

def cast(ctx, source, message): ...
"""


def page_of(port: int) -> str:
    """On another address of the same machine, so that both are free."""
    return f"http://127.0.0.2:{port}"


class Client:
    def __init__(self, port: int) -> None:
        self.port = port
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def raw(self, name: str, data: bytes, token: str = "", service: str = "WorkflowInstance") -> Any:
        """The answer, or the status with its words."""
        kind = KINDS.get(name, Empty)
        call = self.channel.unary_unary(f"/edgeless_api.{service}/{name}", response_deserializer=kind.FromString)
        try:
            return call(data, timeout=30, metadata=[("authorization", token)] if token else None)
        except grpc.RpcError as error:
            return error.code(), error.details()

    def __call__(self, name: str, message: Any = None, token: str = "") -> Any:
        return self.raw(name, b"" if message is None else message.SerializeToString(), token)


def function(name: str, code: bytes, kind: str = "PYTHON", /, annotations: Any = (), **mapping: str) -> Any:
    made = words.FunctionClassSpecification(id=name, function_type=kind, version="0.1", binary=code)
    return words.WorkflowFunction(
        name=name, class_spec=made, output_mapping=mapping, annotations=dict(annotations or {"init-payload": "8"})
    )


def asked(*functions: Any, **resources: str) -> Any:
    made = [
        words.WorkflowResource(name=name, class_type=kind, configurations={"filename": "said.log"})
        for name, kind in resources.items()
    ]
    return words.SpawnWorkflowRequest(workflow_functions=functions, workflow_resources=made)


def migration(workflow: Any, to: str, component: str) -> Any:
    domain = words.DomainId(domain_id=to)
    return words.MigrateWorkflowRequest(workflow_id=workflow, domain_id=domain, component=component)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Whole, Client, Path]]:
    state, port = tmp_path_factory.mktemp("state"), free_port()
    settings = (
        f"workflows.edgeless_url=http://127.0.0.1:{port}", f"workflows.dataset.path={state}/run-",
        "telemetry.performance_samples=true", f"telemetry.metrics_url={page_of(port)}", "telemetry.log_level=info",
    )  # fmt: skip
    with running(state, *(word for one in settings for word in ("--set", one))) as whole:
        client = Client(port)
        yield whole, client, state
        client.channel.close()


Server = tuple[Whole, Client, Path]


def test_a_workflow_is_started_listed_inspected_and_stopped(server: Server) -> None:
    whole, client, state = server
    (domain,) = client("Domains").domain_capabilities
    assert domain.domain_id == "attacca"
    assert domain.domain_capabilities.num_nodes == 1
    assert "file-log" in domain.domain_capabilities.resource_classes
    assert list(client("Domains", words.DomainId(domain_id="elsewhere")).domain_capabilities) == []
    told = client("Start", asked(function("f", SENDER, out="log"), log="file-log")).workflow_status
    name = told.workflow_id
    assert [(row.name, row.domain_id) for row in told.domain_mapping] == [("f", "attacca"), ("log", "attacca")]
    assert list(client("List").identifiers) == [name.workflow_id]
    lines = state / "resources" / "said.log"
    until(lambda: lines.exists() and lines.read_text())
    assert lines.read_text() == "8\n"
    seen = client("Inspect", name)
    assert seen.status == told
    (shown,) = seen.request.workflow_functions
    assert (shown.class_spec.function_type, dict(shown.output_mapping)) == ("PYTHON", {"out": "log"})
    rows = {row["component"]: row for row in whole.get("/api/workflows/edgeless")["instances"]}
    assert set(rows) == {"f", "log"}
    assert client("Migrate", migration(name, "attacca", "")).workflow_status == told
    for to, component, why in (
        ("attacca", "f", "already"), ("worker", "f", "already"), ("nowhere", "", "neither a domain nor a node"),
        ("worker", "nobody", "nobody"),
    ):  # fmt: skip
        error = client("Migrate", migration(name, to, component)).response_error
        assert (error.summary, why in error.detail) == ("Migration rejected", True), error
    assert client("Stop", name) == Empty()
    assert list(client("List").identifiers) == []
    assert client("Stop", name) == Empty()
    assert client("Migrate", migration(name, "attacca", "")).response_error.summary == "Unknown workflow id"


def test_what_an_instance_does_is_on_a_page_in_its_log_and_in_the_data_sets(server: Server) -> None:
    whole, client, state = server
    name = client("Start", asked(function("f", SENDER, out="log"), log="file-log")).workflow_status.workflow_id
    followed = urllib.request.urlopen(
        f"http://127.0.0.1:{whole.port}/api/workflows/edgeless/logs?follow=true", timeout=PATIENCE_S
    )
    told = {json.loads(followed.readline())["text"].partition(":")[0] for _ in range(3)}
    assert "telemetry" in told

    def page() -> str:
        with urllib.request.urlopen(f"{page_of(client.port)}/metrics") as answer:
            return str(answer.read(), "utf-8")

    until(lambda: "execution_times_count" in page())
    assert 'function_count{function_type="PYTHON",node_id="worker"} 1.0' in page()
    entries = state / "run-application_logs.csv"
    until(lambda: entries.exists() and ",bench," in entries.read_text())
    assert client("Stop", name) == Empty()
    assert b"exit: Ok" in followed.read(), "it ends with what it follows"
    assert "function_execution_time" in (state / "run-performance_samples.csv").read_text()
    assert 'function_exits_total{function_type="file-log",node_id="worker",status="Ok"}' in page()


@pytest.mark.parametrize(
    ("message", "summary", "detail"),
    [
        (asked(), "Invalid workflow creation request", "neither functions nor resources"),
        (asked(words.WorkflowFunction()), "Invalid workflow creation request", "empty name"),
        (asked(function("f", SENDER, out="x")), "Invalid workflow creation request", "which is not there"),
        (asked(words.WorkflowFunction(name="f")), "Workflow creation failed", "is of ''"),
        (asked(function("f", b"")), "Workflow creation failed", "no binary"),
        (asked(function("f", b"x", "CONTAINER")), "Workflow creation failed", "CONTAINER"),
        (asked(r="no-such"), "Workflow creation failed", "no-such"),
        (asked(function("f", RAISES)), "Request rejected", "ValueError: as asked"),
        (asked(function("f", b"\0asm1234", "RUST_WASM")), "Request rejected", "f: this is no module"),
        (asked(function("f", SENDER, "PYTHON", {"tee": "required"})), "Request rejected", "can run nowhere"),
        (asked(function("f", SENDER, "PYTHON", {"node_id_match_any": "6" * 8 + "-0000" * 3 + "-" + "6" * 12})),
         "Request rejected", "can run nowhere"),
    ],
)  # fmt: skip
def test_what_cannot_be_started_is_told_why_and_leaves_nothing(
    server: Server, message: Any, summary: str, detail: str
) -> None:
    _, client, _ = server
    told = client("Start", message)
    assert not told.HasField("workflow_status")
    assert told.response_error.summary == summary
    assert detail in told.response_error.detail
    assert list(client("List").identifiers) == []


def test_an_event_from_outside_reaches_an_instance(server: Server) -> None:
    whole, client, _ = server
    name = client("Start", asked(function("f", ECHO, out="log"), log="file-log")).workflow_status.workflow_id
    parts = whole.get("/api/domain/state")["components"]
    physical = next(one["instances"][0]["id"] for one in parts if one["component"] == "f")

    def handle(function: str, kind: int) -> Any:
        event = words.Event(
            target=words.InstanceId(function_id=function), msg=words.EventData(event_type=kind, payload="hello")
        )
        return client.raw("Handle", event.SerializeToString(), service="FunctionInvocation")

    assert handle(physical, words.CAST) == Empty()
    until(lambda: b"hello True" in whole.ask("GET", "/api/workflows/edgeless/logs").body)
    for wrong in (
        handle(physical, words.CALL),
        handle("nobody", words.CAST),
        client.raw("Handle", b"", service="FunctionInvocation"),
    ):
        assert wrong[0] is grpc.StatusCode.INTERNAL
    client("Stop", name)


def test_what_makes_no_sense_is_an_error_and_the_next_is_answered(server: Server) -> None:
    _, client, _ = server
    internal = grpc.StatusCode.INTERNAL
    nobody = words.WorkflowId(workflow_id="62b15470-e013-40d8-b738-d9754b118ea9")
    assert client("Inspect", nobody) == (internal, f"Unknown workflow identifier '{nobody.workflow_id}'")
    for name in ("xx", ""):
        code, why = client("Stop", words.WorkflowId(workflow_id=name))
        assert (code, "is no UUID" in why) == (internal, True)
        assert client("Inspect", words.WorkflowId(workflow_id=name))[0] is internal
    for garbage in (b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\xff\xfe"):
        assert client.raw("Start", garbage)[0] is not None
    assert client.raw("Launch", b"")[0] is grpc.StatusCode.UNIMPLEMENTED
    assert client("List", token="Bearer wrong")[0] is grpc.StatusCode.UNAUTHENTICATED
    assert list(client("List").identifiers) == []
