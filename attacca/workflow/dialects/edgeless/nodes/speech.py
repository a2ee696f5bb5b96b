"""What is said to a node of EDGELESS and to its instances, and what these say, as messages of its wire."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from attacca.errors import BadRequest
from attacca.model.events import EVENT_BYTES, ReplyKind, place
from attacca.model.function import ResourceClass, Revision
from attacca.workflow.core.identities import of_component, of_workflow
from attacca.workflow.dialects.edgeless.nodes.announced import RUST_WASM
from attacca.workflow.dialects.edgeless.specs import PAYLOAD, VERSION
from attacca.workflow.dialects.edgeless.words import words

TRACE, SPAN = bytes(16), bytes(8)  # a node of v1.2.0 answers nothing to an event without them
STREAMS_FROM = 1 << 40  # its instances number their own calls from 1, and take any event of such a number for the reply


class Kind(StrEnum):
    CALL = "call"
    CAST = "cast"
    REPLY = "reply"
    NOTHING = "nothing"
    ERROR = "error"


class Said(msgspec.Struct, frozen=True):
    """By an instance of a node. `stream`: of the call that it is or answers."""

    node: str
    instance: str
    to_node: str
    to: str
    kind: Kind
    data: bytes
    stream: int


def said(event: Any) -> Said:
    """
    Raises:
        BadRequest: it is no event.
    """
    if not (event.HasField("target") and event.HasField("source") and event.HasField("msg")):
        raise BadRequest("an event has a target, a source and a message", "")
    data = event.msg.payload.encode()
    if len(data) > EVENT_BYTES:
        raise BadRequest(f"an event has at most {EVENT_BYTES} bytes", "send less at once")
    known = words()
    kinds = {
        known.CALL: Kind.CALL,
        known.CAST: Kind.CAST,
        known.CALL_RET: Kind.REPLY,
        known.CALL_NO_RET: Kind.NOTHING,
    }
    return Said(
        event.source.node_id.lower(),
        event.source.function_id.lower(),
        event.target.node_id.lower(),
        event.target.function_id.lower(),
        kinds.get(event.msg.event_type, Kind.ERROR),
        data,
        event.stream_id,
    )


class Ends(msgspec.Struct, frozen=True):
    """From whom to whom: the ids of a node and an instance, twice."""

    from_node: str
    source: str
    node: str
    target: str


def event(ends: Ends, kind: Kind, data: bytes, stream: int, wall: float) -> Any:
    """`wall`: when it was sent, in seconds since 1970.

    Raises:
        BadRequest: its data is no text, and nothing else passes.
    """
    known = words()
    kinds = {
        Kind.CALL: known.CALL,
        Kind.CAST: known.CAST,
        Kind.REPLY: known.CALL_RET,
        Kind.NOTHING: known.CALL_NO_RET,
        Kind.ERROR: known.ERR,
    }
    return known.Event(
        target=known.InstanceId(node_id=ends.node, function_id=ends.target),
        source=known.InstanceId(node_id=ends.from_node, function_id=ends.source),
        stream_id=stream,
        msg=known.EventData(event_type=kinds[kind], payload=text(data)),
        created=known.EventTimestamp(secs=int(wall), nsecs=int(wall % 1 * 1e9)),
        metadata=known.EventSerializedMetadata(trace_id=TRACE, span_id=SPAN),
    )


def text(data: bytes) -> str:
    """
    Raises:
        BadRequest: it is none.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadRequest("a node of EDGELESS takes events that are text in UTF-8", "encode it, as base64") from None


REPLIES = {ReplyKind.REPLY: Kind.REPLY, ReplyKind.NOTHING: Kind.NOTHING, ReplyKind.ERROR: Kind.ERROR}


def function(instance: str, workflow: str, revision: Revision, code: bytes, payload: str | None) -> Any:
    """A SpawnFunctionRequest. What it syncs is in a file of the node that outlives it, by the place that it has."""
    known = words()
    here = place(instance)
    state = of_component(*here.split(".", 1)) if "." in here else of_component(here, "")
    return known.SpawnFunctionRequest(
        code=known.FunctionClassSpecification(
            id=revision.function, function_type=RUST_WASM, version=VERSION, binary=code
        ),
        annotations={} if payload is None else {PAYLOAD: payload},
        state_specification=known.StateSpecification(state_id=state, policy=known.NODE_LOCAL),
        workflow_id=of_workflow(workflow),
    )


def resource(workflow: str, artefact: ResourceClass) -> Any:
    """A ResourceInstanceSpecification."""
    return words().ResourceInstanceSpecification(
        resource_class_type=artefact.name,
        configuration=dict(artefact.configuration),
        workflow_id=of_workflow(workflow),
    )


def patch(instance: str, node: str, outputs: Mapping[str, str]) -> Any:
    """A PatchRequest. `outputs`: all of them, each with the id of whom it leads to on `node`."""
    known = words()
    where = {name: known.InstanceId(node_id=node, function_id=id_) for name, id_ in outputs.items()}
    return known.PatchRequest(function_id=instance, output_mapping=where)


def whom(node: str, instance: str) -> Any:
    known = words()
    return known.InstanceIdVariant(instance_id=known.InstanceId(node_id=node, function_id=instance))


def peer(node: str, url: str) -> Any:
    known = words()
    return known.UpdatePeersRequest(request_type=known.ADD, node_id=node, invocation_url=url)
