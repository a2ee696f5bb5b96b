"""A node of EDGELESS as its wire has it, for tests: an agent, a data plane, and instances that do what is simple.

a cast    goes on to each of its outputs, with `>` behind it
a call    is answered with what came in capitals; `ask TEXT` calls the output `out` first, and answers with its reply;
          `fail` is answered with an error, `nothing` with no reply, and `lost` not at all
"""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from attacca.workflow.dialects.edgeless.words import PROTO

words: Any = grpc.protos(PROTO)
ASK_S = 20.0


class StandIn:
    """`orchestrator`: HOST:PORT, where it registers."""

    CAST = words.CAST

    def __init__(self, orchestrator: str, labels: tuple[str, ...] = (), classes: tuple[str, ...] = ()) -> None:
        self.id, self.labels, self.classes = str(uuid.uuid4()), labels, classes
        self.instances: dict[str, Any] = {}  # by id: what it was started with
        self.outputs: dict[str, dict[str, Any]] = {}
        self.handled: list[tuple[str, str]] = []  # kind and payload
        self.stopped: list[str] = []
        self.resets = 0
        self.replies: dict[tuple[str, int], tuple[threading.Event, list[Any]]] = {}
        self.peers: dict[str, str] = {}
        self.streams = 0
        self.nonce = 1
        self.samples = words.NodePerformanceSamples()
        self._registered = grpc.insecure_channel(orchestrator)
        self._server = grpc.server(ThreadPoolExecutor(16))
        for service, calls in (
            ("NodeManagement", {"Reset": (self._reset, Empty), "UpdatePeers": (self._peer, words.UpdatePeersRequest)}),
            ("FunctionInstance", self._starting(words.SpawnFunctionRequest)),
            ("ResourceConfiguration", self._starting(words.ResourceInstanceSpecification)),
            ("FunctionInvocation", {"Handle": (self._handle, words.Event)}),
        ):
            handlers = {
                name: grpc.unary_unary_rpc_method_handler(do, kind.FromString, lambda told: told.SerializeToString())
                for name, (do, kind) in calls.items()
            }
            handler = grpc.method_handlers_generic_handler(f"edgeless_api.{service}", handlers)
            self._server.add_generic_rpc_handlers((handler,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def _starting(self, kind: Any) -> dict[str, Any]:
        stop, patch = (self._stop, words.InstanceIdVariant), (self._patch, words.PatchRequest)
        return {"Start": (self._start, kind), "Stop": stop, "Patch": patch}

    # As a node.

    def register(self, every_s: float = 0.3, patience_s: float = 2.0) -> None:
        """Again and again, until it ends."""
        self._thread = threading.Thread(target=self._register, args=(every_s, patience_s), daemon=True)
        self._thread.start()

    def _register(self, every_s: float, patience_s: float) -> None:
        while True:
            self.update(patience_s)
            if self._ended.wait(every_s):
                return

    def update(self, patience_s: float = 2.0, **fields: Any) -> Any:
        """Once; the answer, or the status with its words."""
        url = f"http://127.0.0.1:{self.port}"
        capabilities = words.NodeCapabilities(
            num_cpus=2, num_cores=2, clock_freq_cpu=2600, mem_size=4096, labels=self.labels, runtimes=["RUST_WASM"]
        )
        made = {
            "node_id": self.id, "agent_url": url, "invocation_url": url, "capabilities": capabilities,
            "resource_providers": [
                words.ResourceProviderSpecification(provider_id=f"{one}-1", class_type=one) for one in self.classes
            ],
            "refresh_deadline": int(time.time() + patience_s + 1), "nonce": self.nonce,
            "health_status": words.NodeHealthStatus(mem_available=1 << 20, load_avg_1=50),
            "performance_samples": self.samples, **fields,
        }  # fmt: skip
        return self._ask(self._registered, "NodeRegistration/UpdateNode", words.UpdateNodeRequest(**made))

    def _ask(self, channel: Any, call: str, message: Any) -> Any:
        answer = words.UpdateNodeResponse if call.endswith("UpdateNode") else Empty
        ask = channel.unary_unary(
            f"/edgeless_api.{call}", request_serializer=type(message).SerializeToString,
            response_deserializer=answer.FromString,
        )  # fmt: skip
        try:
            return ask(message, timeout=ASK_S)
        except grpc.RpcError as error:
            return error.code(), error.details()

    def kill(self) -> None:
        """It says nothing any more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._server.stop(None).wait()
        self._registered.close()

    # What it is told.

    def _reset(self, _: Any, __: Any) -> Any:
        self.resets += 1
        self.instances.clear()
        return Empty()

    def _peer(self, message: Any, _: Any) -> Any:
        self.peers[message.node_id] = message.invocation_url.removeprefix("http://")
        return Empty()

    def _start(self, message: Any, _: Any) -> Any:
        name = str(uuid.uuid4())
        if "refused" in str(getattr(message, "annotations", "")):
            error = words.ResponseError(summary="Error when creating a function instance", detail="as asked")
            return words.StartComponentResponse(response_error=error)
        self.instances[name] = message
        made = words.InstanceId(node_id=self.id, function_id=name)
        return words.StartComponentResponse(instance_id=words.InstanceIdVariant(instance_id=made))

    def _stop(self, message: Any, _: Any) -> Any:
        self.stopped.append(message.instance_id.function_id)
        self.instances.pop(message.instance_id.function_id, None)
        return Empty()

    def _patch(self, message: Any, _: Any) -> Any:
        self.outputs[message.function_id] = dict(message.output_mapping)
        return Empty()

    def _handle(self, event: Any, context: Any) -> Any:
        if event.target.node_id != self.id:
            context.abort(grpc.StatusCode.INTERNAL, "Server Error")
        assert event.created.secs
        assert (len(event.metadata.trace_id), len(event.metadata.span_id)) == (16, 8)
        kind, payload = event.msg.event_type, event.msg.payload
        waiting = self.replies.pop((event.target.function_id, event.stream_id), None)
        if waiting is not None:
            waiting[1].append((kind, payload))
            waiting[0].set()
        elif event.target.function_id in self.instances:
            self.handled.append((words.EventType.Name(kind), payload))
            threading.Thread(target=self._do, args=(event,), daemon=True).start()
        return Empty()

    # What its instances do.

    def _do(self, event: Any) -> None:
        me, payload = event.target.function_id, event.msg.payload
        if event.msg.event_type == words.CAST:
            for target in self.outputs.get(me, {}).values():
                self.send(me, target, words.CAST, payload + ">")
            return
        kind, told = words.CALL_RET, payload.upper()
        if payload.startswith("ask "):
            kind, told = self.call(me, self.outputs[me]["out"], payload[4:])
        elif payload == "fail":
            kind, told = words.ERR, ""
        elif payload == "nothing":
            kind, told = words.CALL_NO_RET, ""
        if payload != "lost":
            self.send(me, event.source, kind, told, event.stream_id)

    def call(self, me: str, target: Any, payload: str) -> Any:
        self.streams += 1
        done, told = threading.Event(), list[Any]()
        self.replies[me, self.streams] = done, told
        self.send(me, target, words.CALL, payload, self.streams)
        assert done.wait(ASK_S)
        return told[0]

    def send(self, me: str, target: Any, kind: int, payload: str, stream: int = 0) -> Any:
        event = words.Event(
            target=target, source=words.InstanceId(node_id=self.id, function_id=me), stream_id=stream,
            msg=words.EventData(event_type=kind, payload=payload),
            created=words.EventTimestamp(secs=int(time.time())),
            metadata=words.EventSerializedMetadata(trace_id=bytes(16), span_id=bytes(8)),
        )  # fmt: skip
        with grpc.insecure_channel(self.peers[target.node_id]) as channel:
            return self._ask(channel, "FunctionInvocation/Handle", event)
