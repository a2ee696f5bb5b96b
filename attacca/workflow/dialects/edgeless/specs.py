"""Workflows as EDGELESS says them, in the words of attacca, and back."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from attacca.errors import BadRequest, Unsupported
from attacca.model.function import Artefact, WasmModule
from attacca.model.workflow import COMPONENT, COMPONENTS, Component, Output, Requirements, WorkflowSpec
from attacca.workflow.core.identities import is_uuid, of_node

PYTHON, WASM = "PYTHON", "RUST_WASM"
NAME = "edgeless"  # it says none
PAYLOAD, NODES, LABELS, PROVIDERS = "init-payload", "node_id_match_any", "label_match_all", "resource_match_all"
TEE, TPM, MOST = "tee", "tpm", "max_instances"
PLACEMENT = frozenset((NODES, LABELS, PROVIDERS, TEE, TPM, MOST))
REQUIRED = "required"
MOST_DIGITS = 10
VERSION = "0.1"  # of a class, where nobody knows better


class FunctionAsked(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    function_type: str
    binary: bytes = b""
    code: str = ""
    class_id: str = ""
    version: str = ""
    outputs: tuple[str, ...] = ()  # those that its class declares
    mapping: dict[str, str] = {}
    annotations: dict[str, str] = {}


class ResourceAsked(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    class_type: str
    mapping: dict[str, str] = {}
    configuration: dict[str, str] = {}


class Named(NamedTuple):
    """What is known of a domain by other names than here."""

    nodes: Mapping[str, str]  # by UUID
    classes: Mapping[str, str]  # by provider


class WorkflowAsked(msgspec.Struct, frozen=True, kw_only=True):
    functions: tuple[FunctionAsked, ...] = ()
    resources: tuple[ResourceAsked, ...] = ()


def expect_whole(asked: WorkflowAsked) -> None:
    """Before anything of it is looked for.

    Raises:
        BadRequest: it is no workflow; with the first thing that is wrong.
    """
    parts: list[FunctionAsked | ResourceAsked] = [*asked.functions, *asked.resources]
    if not parts:
        raise BadRequest("it has neither functions nor resources", "a workflow has one component at least")
    names = [part.name for part in parts]
    for part in parts:
        what = "function" if isinstance(part, FunctionAsked) else "resource"
        if not part.name:
            raise BadRequest(f"empty name in {what}", "each component has a name")
        if COMPONENT.match(part.name) is None:
            raise BadRequest(f"the name of {what} {part.name[:80]!r} cannot be one here", COMPONENTS)
        if names.count(part.name) > 1:
            raise BadRequest(f"there are several components {part.name!r}", "give each another name")
        if isinstance(part, ResourceAsked) and not part.class_type:
            raise BadRequest(f"empty class type in resource {part.name!r}", "say which resource it is")
        _expect_mapping(part.name, part.mapping, names)


def _expect_mapping(name: str, mapping: Mapping[str, str], names: list[str]) -> None:
    for channel, target in mapping.items():
        if not channel or not target:
            raise BadRequest(f"empty channel or target in the outputs of {name!r}", "an output leads to a component")
        if target not in names:
            what = f"the output {channel[:80]!r} of {name!r} leads to {target[:80]!r}, which is not there"
            raise BadRequest(what, "an output leads to a component of the same workflow")


def expect_runnable(asked: FunctionAsked) -> None:
    """
    Raises:
        Unsupported: functions of its kind do not run here, or it has no code.
    """
    if asked.function_type not in (WASM, PYTHON):
        raise Unsupported(f"{asked.name} is of {asked.function_type[:80]!r}", f"{WASM} and {PYTHON} run here")
    if not asked.binary:
        raise Unsupported(f"the class of {asked.name} has no binary", "send the code with it")


def spec(
    asked: WorkflowAsked, code: Mapping[str, Artefact], nodes: Mapping[str, str], classes: Mapping[str, str]
) -> WorkflowSpec:
    """`code`: of its functions. `nodes`: their names by UUID. `classes`: of resources, by the names of providers.

    Raises:
        BadRequest: a value is too large.
    """
    named = Named(nodes, classes)
    try:
        functions = [_function(one, code[one.name], named) for one in asked.functions]
        resources = [_resource(one, named) for one in asked.resources]
        made = WorkflowSpec(name=NAME, components=(*functions, *resources))
        return msgspec.convert(msgspec.to_builtins(made), WorkflowSpec)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadRequest(str(error), "make it smaller") from None


def _function(asked: FunctionAsked, code: Artefact, named: Named) -> Component:
    payload = asked.annotations.get(PAYLOAD)
    where = _requirements(asked.annotations, named)
    return Component(name=asked.name, artefact=code, payload=payload, outputs=_outputs(asked.mapping), requires=where)


def _resource(asked: ResourceAsked, named: Named) -> Component:
    rest = {key: value for key, value in asked.configuration.items() if key not in PLACEMENT}
    where = _requirements(asked.configuration, named)
    return Component(
        name=asked.name, resource=asked.class_type, configuration=rest, outputs=_outputs(asked.mapping), requires=where
    )


def _outputs(mapping: Mapping[str, str]) -> dict[str, Output]:
    return {channel: Output(to=(target,)) for channel, target in mapping.items()}


def _requirements(said: Mapping[str, str], named: Named) -> Requirements:
    """As the original reads them: what is no UUID is no node, anything but `required` requires nothing, and what is no
    number is no limit. Resources are said by the names of providers, and required by their classes."""
    wanted = [one.lower() for one in said.get(NODES, "").split(",") if is_uuid(one)]
    providers = said[PROVIDERS].split(",") if PROVIDERS in said else []
    most = said.get(MOST, "")
    return Requirements(
        nodes=tuple(named.nodes.get(one, one) for one in wanted),
        labels=tuple(said[LABELS].split(",")) if LABELS in said else (),
        resources=tuple(named.classes.get(one, one) for one in providers),
        tee=said.get(TEE, "").lower() == REQUIRED, tpm=said.get(TPM, "").lower() == REQUIRED,
        max_instances=int(most) if most.isdecimal() and most.isascii() and len(most) < MOST_DIGITS else 0,
    )  # fmt: skip


def described(spec: WorkflowSpec) -> WorkflowAsked:
    """As its tools show it; the code stays here. Where an output leads to several, all are named."""
    functions = tuple(_described_function(one) for one in spec.components if one.artefact is not None)
    resources = tuple(
        ResourceAsked(
            name=one.name, class_type=one.resource, mapping=_mapping(one),
            configuration={**one.configuration, **_annotations(one)},
        )
        for one in spec.components if one.artefact is None
    )  # fmt: skip
    return WorkflowAsked(functions=functions, resources=resources)


def _described_function(one: Component) -> FunctionAsked:
    kind = WASM if isinstance(one.artefact, WasmModule) else PYTHON
    digests = () if one.artefact is None else one.artefact.digests
    return FunctionAsked(
        name=one.name, function_type=kind, code=digests[0] if digests else "", class_id=one.name, version=VERSION,
        outputs=tuple(one.outputs), mapping=_mapping(one), annotations=_annotations(one),
    )  # fmt: skip


def _mapping(one: Component) -> dict[str, str]:
    return {channel: ",".join(output.to) for channel, output in one.outputs.items()}


def _annotations(one: Component) -> dict[str, str]:
    where = one.requires
    said = {
        PAYLOAD: one.payload,
        NODES: ",".join(map(of_node, where.nodes)) or None,
        LABELS: ",".join(where.labels) if where.labels else None,
        PROVIDERS: ",".join(where.resources) if where.resources else None,
        TEE: REQUIRED if where.tee else None,
        TPM: REQUIRED if where.tpm else None,
        MOST: str(where.max_instances) if where.max_instances else None,
    }
    return {key: value for key, value in said.items() if value is not None}
