"""The controller's services of the dialect: what a message says, and what is answered."""

from collections.abc import Awaitable, Callable
from typing import Any

from attacca.control.driver import Control
from attacca.errors import BadRequest
from attacca.kernel.access import Door
from attacca.workflow.dialects.edgeless.controller import Capabilities, Controller, Mapped, Refused
from attacca.workflow.dialects.edgeless.listening import INVOCATION, Listening, expect_installed
from attacca.workflow.dialects.edgeless.specs import FunctionAsked, ResourceAsked, WorkflowAsked
from attacca.workflow.dialects.edgeless.words import empty, words

SERVICE, SETTING = "edgeless_api.WorkflowInstance", "workflows.edgeless_url"


class EdgelessServer:
    """`door`: where it listens, and as whom."""

    def __init__(self, control: Callable[[], Control], door: Door) -> None:
        self._controller = Controller(control)
        self._listening = Listening(control, door, SETTING)

    def __repr__(self) -> str:
        return f"<EdgelessServer {self._listening!r}>"

    async def open(self, host: str, port: int) -> None:
        """
        Raises:
            BadConfig: grpcio is not installed, or nothing can listen there.
        """
        expect_installed(SETTING)
        known = words()
        answers = {
            "Start": (self._start, known.SpawnWorkflowRequest),
            "Stop": (self._stop, known.WorkflowId),
            "List": (self._list, empty()),
            "Inspect": (self._inspect, known.WorkflowId),
            "Domains": (self._domains, known.DomainId),
            "Migrate": (self._migrate, known.MigrateWorkflowRequest),
        }
        handle = {"Handle": (self._handle, known.Event)}
        await self._listening.open(host, port, {SERVICE: answers, INVOCATION: handle})

    async def close(self) -> None:
        await self._listening.close()

    # One for each of its calls.

    async def _start(self, message: Any) -> Any:
        return await _outcome(self._controller.start(asked(message)))

    async def _migrate(self, message: Any) -> Any:
        workflow, to = message.workflow_id.workflow_id, message.domain_id.domain_id
        return await _outcome(self._controller.migrate(workflow, to, message.component))

    async def _stop(self, message: Any) -> Any:
        await self._controller.stop(message.workflow_id)
        return empty()()

    async def _handle(self, message: Any) -> Any:
        """Only casts come from outside: nobody there could be given a reply."""
        if not (message.HasField("target") and message.HasField("msg")):
            raise BadRequest("an event has a target and a message", "")
        if message.msg.event_type != words().CAST:
            raise BadRequest("an event from outside is a cast", "call it by an http-ingress of its workflow")
        self._controller.cast(message.target.function_id, message.msg.payload)
        return empty()()

    async def _list(self, _: Any) -> Any:
        return words().WorkflowIdList(identifiers=self._controller.list())

    async def _inspect(self, message: Any) -> Any:
        asked, mapped = self._controller.inspect(message.workflow_id)
        return words().WorkflowInstanceInfo(request=request(asked), status=_status_of(mapped))

    async def _domains(self, message: Any) -> Any:
        found = self._controller.domains(message.domain_id)
        known = words()
        entries = [
            known.DomainCapabilitiesEntry(domain_id=domain, domain_capabilities=_capabilities(one))
            for domain, one in found.items()
        ]
        return known.DomainCapabilitiesList(domain_capabilities=entries)


async def _outcome(asked: Awaitable[Mapped]) -> Any:
    known = words()
    try:
        return known.SpawnWorkflowResponse(workflow_status=_status_of(await asked))
    except Refused as refused:
        error = known.ResponseError(summary=refused.summary, detail=refused.detail)
        return known.SpawnWorkflowResponse(response_error=error)


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
    known = words()
    functions = [
        known.WorkflowFunction(
            name=one.name, output_mapping=one.mapping, annotations=one.annotations,
            class_spec=known.FunctionClassSpecification(
                id=one.class_id, function_type=one.function_type, version=one.version, code=one.code,
                outputs=one.outputs,
            ),
        )
        for one in asked.functions
    ]  # fmt: skip
    resources = [
        known.WorkflowResource(
            name=one.name, class_type=one.class_type, output_mapping=one.mapping, configurations=one.configuration
        )
        for one in asked.resources
    ]
    return known.SpawnWorkflowRequest(workflow_functions=functions, workflow_resources=resources)


def _status_of(mapped: Mapped) -> Any:
    known = words()
    rows = [
        known.WorkflowFunctionMapping(name=name, function_id=logical, domain_id=mapped.domain)
        for name, logical in mapped.components
    ]
    return known.WorkflowInstanceStatus(workflow_id=known.WorkflowId(workflow_id=mapped.workflow), domain_mapping=rows)


def _capabilities(told: Capabilities) -> Any:
    return words().DomainCapabilities(
        num_nodes=told.nodes, num_cpus=told.cpus, num_cores=told.cpus, mem_size=told.memory_mb, labels=told.labels,
        runtimes=told.runtimes, resource_providers=told.providers, resource_classes=told.classes,
    )  # fmt: skip
