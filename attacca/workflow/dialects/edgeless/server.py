"""The gRPC door of the dialect: who may come in, what a message says, and what is answered.

Its messages are made of `edgeless.proto` when the first server begins.
"""

import functools
import logging
from collections.abc import Awaitable, Callable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from attacca.control.driver import Control
from attacca.errors import AttaccaError, BadConfig, BadRequest, Conflict, Forbidden, NotFound, Unauthorized
from attacca.gateway.http.peer_uid import Address, uid
from attacca.kernel.access import Asked, Caller, Door, refuse
from attacca.workflow.dialects.edgeless.controller import Capabilities, Controller, Mapped, Refused
from attacca.workflow.dialects.edgeless.specs import FunctionAsked, ResourceAsked, WorkflowAsked

PROTO = "attacca/workflow/dialects/edgeless/edgeless.proto"
SERVICE, INVOCATION = "edgeless_api.WorkflowInstance", "edgeless_api.FunctionInvocation"
MESSAGE_MB = 64  # of code, all functions of a workflow together
CALLS_MOST = 64  # at once
GRACE_S = 1.0
LOG = logging.getLogger("attacca.edgeless")
Answer = Callable[[Any], Awaitable[Any]]


class EdgelessServer:
    """`door`: where it listens, and as whom."""

    def __init__(self, control: Callable[[], Control], door: Door) -> None:
        self._control, self._door = control, door
        self._controller = Controller(control)
        self._server: Any = None
        self.port = 0
        self._answered = self._refused = 0

    def __repr__(self) -> str:
        return f"<EdgelessServer at port {self.port}: {self._answered} answered, {self._refused} refused>"

    async def open(self, host: str, port: int) -> None:
        """
        Raises:
            BadConfig: grpcio is not installed, or nothing can listen there.
        """
        try:
            import grpc
            import grpc.aio
        except ImportError:
            raise BadConfig("workflows.edgeless_url needs grpcio", "pip install 'attacca[edgeless]'") from None
        words = _words()
        answers: dict[str, tuple[Answer, Any]] = {
            "Start": (self._start, words.SpawnWorkflowRequest),
            "Stop": (self._stop, words.WorkflowId),
            "List": (self._list, _empty()),
            "Inspect": (self._inspect, words.WorkflowId),
            "Domains": (self._domains, words.DomainId),
            "Migrate": (self._migrate, words.MigrateWorkflowRequest),
        }
        options = [("grpc.max_receive_message_length", MESSAGE_MB << 20), ("grpc.so_reuseport", 0)]
        server = grpc.aio.server(options=options, maximum_concurrent_rpcs=CALLS_MOST)
        for service, calls in ((SERVICE, answers), (INVOCATION, {"Handle": (self._handle, words.Event)})):
            handlers = {name: self._handler(grpc, *call) for name, call in calls.items()}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            self.port = server.add_insecure_port(where)
        except RuntimeError:
            raise BadConfig(f"nothing can listen at {where}", "give workflows.edgeless_url another port") from None
        await server.start()
        self._server = server

    async def close(self) -> None:
        if self._server is not None:
            await self._server.stop(GRACE_S)
            self._server = None

    def _handler(self, grpc: Any, answer: Answer, kind: Any) -> Any:
        answered = functools.partial(self._answer, answer)
        return grpc.unary_unary_rpc_method_handler(answered, kind.FromString, lambda told: told.SerializeToString())

    async def _answer(self, answer: Answer, message: Any, context: Any) -> Any:
        import grpc

        try:
            self._expect_allowed(context)
            told = await answer(message)
        except AttaccaError as error:
            self._refused += 1
            await context.abort(status(grpc, error), error.message + (f" ({error.hint})" if error.hint else ""))
        self._answered += 1
        return told

    def _expect_allowed(self, context: Any) -> None:
        """As the admin API has it: the server's own user on its own machine, or a token.

        Raises:
            Unauthorized, Forbidden: neither.
        """
        said = dict(context.invocation_metadata() or ())
        control, token = self._control(), said.get("authorization")
        caller = Caller(authorization=token if isinstance(token, str) else None)
        refusal = refuse(
            self._door, caller, Asked.OPERATION, control.tokens.is_known, lambda: self._user(context.peer()),
            is_uid_shared=control.is_uid_shared,
        )  # fmt: skip
        if refusal is not None:
            raise refusal

    def _user(self, peer: str) -> int | None:
        theirs = address(peer)
        return None if theirs is None else uid(theirs, (theirs[0], self.port))

    # One for each of its calls.

    async def _start(self, message: Any) -> Any:
        return await _outcome(self._controller.start(asked(message)))

    async def _migrate(self, message: Any) -> Any:
        workflow, to = message.workflow_id.workflow_id, message.domain_id.domain_id
        return await _outcome(self._controller.migrate(workflow, to, message.component))

    async def _stop(self, message: Any) -> Any:
        await self._controller.stop(message.workflow_id)
        return _empty()()

    async def _handle(self, message: Any) -> Any:
        """Only casts come from outside: nobody there could be given a reply."""
        if not (message.HasField("target") and message.HasField("msg")):
            raise BadRequest("an event has a target and a message", "")
        if message.msg.event_type != _words().CAST:
            raise BadRequest("an event from outside is a cast", "call it by an http-ingress of its workflow")
        self._controller.cast(message.target.function_id, message.msg.payload)
        return _empty()()

    async def _list(self, _: Any) -> Any:
        return _words().WorkflowIdList(identifiers=self._controller.list())

    async def _inspect(self, message: Any) -> Any:
        asked, mapped = self._controller.inspect(message.workflow_id)
        return _words().WorkflowInstanceInfo(request=request(asked), status=_status_of(mapped))

    async def _domains(self, message: Any) -> Any:
        found = self._controller.domains(message.domain_id)
        words = _words()
        entries = [
            words.DomainCapabilitiesEntry(domain_id=domain, domain_capabilities=_capabilities(one))
            for domain, one in found.items()
        ]
        return words.DomainCapabilitiesList(domain_capabilities=entries)


async def _outcome(asked: Awaitable[Mapped]) -> Any:
    words = _words()
    try:
        return words.SpawnWorkflowResponse(workflow_status=_status_of(await asked))
    except Refused as refused:
        error = words.ResponseError(summary=refused.summary, detail=refused.detail)
        return words.SpawnWorkflowResponse(response_error=error)


@functools.cache
def _words() -> Any:
    import grpc

    return grpc.protos(str(PurePosixPath(PROTO)))


def _empty() -> Any:
    from google.protobuf.empty_pb2 import Empty

    return Empty


def status(grpc: Any, error: AttaccaError) -> Any:
    """Its own says INTERNAL to whatever it does not know."""
    codes = grpc.StatusCode
    match error:
        case Unauthorized():
            return codes.UNAUTHENTICATED
        case Forbidden():
            return codes.PERMISSION_DENIED
        case BadRequest() | NotFound() | Conflict():
            return codes.INTERNAL
        case _:
            return codes.UNAVAILABLE if error.retryable else codes.INTERNAL


def address(peer: str) -> Address | None:
    """As gRPC writes one: ipv4:127.0.0.1:5000, ipv6:%5B::1%5D:5000."""
    family, _, rest = peer.partition(":")
    host, _, port = unquote(rest).rpartition(":")
    if family not in ("ipv4", "ipv6") or not port.isdigit():
        return None
    return host.strip("[]"), int(port)


def asked(message: Any) -> WorkflowAsked:
    functions = tuple(
        FunctionAsked(
            name=one.name, function_type=one.class_spec.function_type, binary=one.class_spec.binary,
            code=one.class_spec.code, class_id=one.class_spec.id, version=one.class_spec.version,
            outputs=tuple(one.class_spec.outputs), mapping=dict(one.output_mapping), annotations=dict(one.annotations),
        )
        for one in message.workflow_functions
    )  # fmt: skip
    resources = tuple(
        ResourceAsked(
            name=one.name, class_type=one.class_type, mapping=dict(one.output_mapping),
            configuration=dict(one.configurations),
        )
        for one in message.workflow_resources
    )  # fmt: skip
    return WorkflowAsked(functions=functions, resources=resources)


def request(asked: WorkflowAsked) -> Any:
    words = _words()
    functions = [
        words.WorkflowFunction(
            name=one.name, output_mapping=one.mapping, annotations=one.annotations,
            class_spec=words.FunctionClassSpecification(
                id=one.class_id, function_type=one.function_type, version=one.version, code=one.code,
                outputs=one.outputs,
            ),
        )
        for one in asked.functions
    ]  # fmt: skip
    resources = [
        words.WorkflowResource(
            name=one.name, class_type=one.class_type, output_mapping=one.mapping, configurations=one.configuration
        )
        for one in asked.resources
    ]
    return words.SpawnWorkflowRequest(workflow_functions=functions, workflow_resources=resources)


def _status_of(mapped: Mapped) -> Any:
    words = _words()
    rows = [
        words.WorkflowFunctionMapping(name=name, function_id=logical, domain_id=mapped.domain)
        for name, logical in mapped.components
    ]
    return words.WorkflowInstanceStatus(workflow_id=words.WorkflowId(workflow_id=mapped.workflow), domain_mapping=rows)


def _capabilities(told: Capabilities) -> Any:
    return _words().DomainCapabilities(
        num_nodes=told.nodes, num_cpus=told.cpus, num_cores=told.cpus, mem_size=told.memory_mb, labels=told.labels,
        runtimes=told.runtimes, resource_providers=told.providers, resource_classes=told.classes,
    )  # fmt: skip
