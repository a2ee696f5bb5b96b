"""What a domain is now, as an orchestrator outside of it is shown it, and what of that has changed."""

from collections.abc import Iterable, Mapping

import msgspec

from attacca.model.events import InstanceView
from attacca.model.function import Artefact, Image, PodImage, WasmModule
from attacca.model.machine import Machine
from attacca.model.sandbox import MachineLoad, WorkerView
from attacca.model.workflow import Configuration, Requirements, shown_component
from attacca.workflow.core import identities
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.graph import Part, Stage
from attacca.workflow.core.nodes import Node

HOSTNAME = "hostname="  # the label by which EDGELESS's tools name a node


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """`id`: its UUID. `machine`: what it is; `load`: how busy, None where nobody measures it."""

    name: str
    id: str
    is_cordoned: bool
    cores: int
    memory_mb: int
    reserved_mb: int  # of that, by instances that are placed there
    labels: tuple[str, ...]  # the first is its name
    machine: Machine = msgspec.field(default_factory=Machine)
    load: MachineLoad | None = None


class ProviderState(msgspec.Struct, frozen=True, kw_only=True):
    """A class of resources that a node can host."""

    name: str  # NODE-CLASS
    resource: str
    node: str


class InstanceState(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    id: str  # the physical UUID
    node: str
    is_up: bool
    handled: int = 0  # events, as far as its node has told
    handled_s: float = 0.0  # what it took to handle them
    waiting: int = 0  # events


class ComponentState(msgspec.Struct, frozen=True, kw_only=True):
    """A logical function or resource. `outputs`: to which components of its workflow they lead."""

    name: str  # WORKFLOW.COMPONENT
    id: str  # the logical UUID
    workflow: str
    workflow_name: str  # which several may have
    workflow_id: str  # the UUID
    component: str
    resource: str = ""  # its class; empty: it is an event function
    function_type: str = ""  # of an event function: PYTHON, RUST_WASM or CONTAINER, as EDGELESS calls them
    configuration: Configuration = {}
    payload: str | None = None
    memory_mb: int
    requires: Requirements = msgspec.field(default_factory=Requirements)
    outputs: dict[str, tuple[str, ...]]
    instances: tuple[InstanceState, ...]
    standby: InstanceState | None = None  # which takes the place of the one that there is
    why: str = ""  # what went wrong last


class Counts(msgspec.Struct, frozen=True):
    """What became of the intents that came so far."""

    done: int = 0
    nothing: int = 0  # it was so already
    refused: int = 0
    reasons: dict[str, int] = {}  # of the refused, by `Verdict.reason`


class DomainState(msgspec.Struct, frozen=True, kw_only=True):
    """Each kind in the order of its names, components in that in which they were started."""

    domain: str
    nodes: tuple[NodeState, ...] = ()
    providers: tuple[ProviderState, ...] = ()
    components: tuple[ComponentState, ...] = ()
    intents: Counts = msgspec.field(default_factory=Counts)

    def component(self, named: str) -> ComponentState | None:
        """By its logical UUID, as WORKFLOW.COMPONENT, or with the name of a workflow where only one has that."""
        return self.by_any_name().get(named)

    def by_any_name(self) -> dict[str, ComponentState]:
        """All components, each under every name that it has alone."""
        found: dict[str, ComponentState] = {}
        several: set[str] = set()
        for one in self.components:
            told = f"{one.workflow_name}.{one.component}"
            if told in found:
                several.add(told)
            found[told] = one
        for told in several:
            del found[told]
        for one in self.components:
            found[one.id] = found[one.name] = one
        return found

    def node(self, named: str) -> NodeState | None:
        """By its UUID or its name."""
        return next((one for one in self.nodes if named in (one.id, one.name)), None)


Known = dict[str, tuple[object, ComponentState]]  # by place: what a row was made of, and the row
Row = NodeState | ProviderState | ComponentState


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row as it is now; a kind whose `now` is not there has lost the row of that name."""

    kind: str  # node, provider or component
    name: str
    now: Row | None = None


def domain_state(
    core: DomainCore,
    domain: str,
    views: Mapping[str, WorkerView],
    seen: Mapping[str, InstanceView],
    providers: Iterable[str],
    known: Known | None = None,
) -> DomainState:
    """`views`: what nodes said last of themselves, `seen`: and of their instances. `providers`: the classes of
    resources that a node can host which has not said. `known`: rows of the time before, which it keeps."""
    nodes = [core.nodes.by_name[name] for name in sorted(core.nodes.by_name)]
    installed = tuple(sorted(providers))
    return DomainState(
        domain=domain,
        nodes=tuple(_node(node, views.get(node.name)) for node in nodes),
        providers=tuple(
            ProviderState(name=f"{node.name}-{one}", resource=one, node=node.name)
            for node in nodes
            for one in (installed if node.machine.resources is None else node.machine.resources)
        ),
        components=_components(core, seen, {} if known is None else known),
    )


def changes(before: DomainState | None, now: DomainState) -> list[Change]:
    """What makes one of the other; of nothing, all of it. What is gone comes first."""
    told: list[Change] = []
    for kind, old, new in (
        ("node", () if before is None else before.nodes, now.nodes),
        ("provider", () if before is None else before.providers, now.providers),
        ("component", () if before is None else before.components, now.components),
    ):
        known: dict[str, Row] = {row.name: row for row in old}
        there = {row.name for row in new}
        told += [Change(kind=kind, name=name) for name in known if name not in there]
        told += [Change(kind=kind, name=row.name, now=row) for row in new if _is_another(known.get(row.name), row)]
    return told


def _is_another(before: Row | None, now: Row) -> bool:
    return before is not now and before != now


def _node(node: Node, view: WorkerView | None) -> NodeState:
    return NodeState(
        name=node.name,
        id=identities.of_node(node.name),
        is_cordoned=node.is_cordoned,
        cores=1 if view is None else view.cores,
        memory_mb=node.capacity.memory_mb,
        reserved_mb=node.reserved.memory_mb,
        labels=(HOSTNAME + node.name, *node.machine.labels),
        machine=node.machine,
        load=None if view is None else view.load,
    )


def _components(core: DomainCore, seen: Mapping[str, InstanceView], known: Known) -> tuple[ComponentState, ...]:
    """A row that would be the same is the same: most of many do not change."""
    fresh: Known = {}
    for workflow in core.workflows.values():
        for parts in workflow.replicas.values():
            place = parts[0].place
            now = tuple((*_now(part), seen.get(part.instance)) for part in parts)
            before = known.get(place)
            fresh[place] = before if before is not None and before[0] == now else (now, _component(parts, seen))
    known.clear()
    known.update(fresh)
    return tuple(row for _, row in fresh.values())


def _now(part: Part) -> tuple[object, ...]:
    spare = part.spare
    stands = None if spare is None else (spare.instance, spare.worker, spare.is_ready)
    return part.instance, part.stage, part.why, stands


def _standby(part: Part) -> InstanceState | None:
    spare = part.spare
    if spare is None or not spare.instance:
        return None
    return InstanceState(
        name=spare.instance, id=identities.of_instance(spare.instance), node=spare.worker, is_up=spare.is_ready
    )


def _component(parts: list[Part], seen: Mapping[str, InstanceView]) -> ComponentState:
    spec, workflow = parts[0].spec, parts[0].workflow.id
    return ComponentState(
        name=f"{workflow}.{spec.name}",
        id=identities.of_component(workflow, spec.name),
        workflow=workflow,
        workflow_name=parts[0].workflow.spec.name,
        workflow_id=identities.of_workflow(workflow),
        component=spec.name,
        resource=spec.resource,
        function_type="" if spec.artefact is None else _function_type(spec.artefact),
        configuration=shown_component(spec).configuration,
        payload=spec.payload,
        memory_mb=parts[0].revision.settings.memory_mb,
        requires=spec.requires,
        outputs={channel: output.to for channel, output in spec.outputs.items()},
        instances=tuple(_instance(part, seen.get(part.instance)) for part in parts if part.instance),
        standby=_standby(parts[0]),
        why=next((part.why for part in parts if part.why), ""),
    )


def _instance(part: Part, seen: InstanceView | None) -> InstanceState:
    return InstanceState(
        name=part.instance,
        id=identities.of_instance(part.instance),
        node=part.worker,
        is_up=part.stage is Stage.UP,
        handled=0 if seen is None else seen.handled,
        handled_s=0.0 if seen is None else seen.handled_s,
        waiting=0 if seen is None else seen.waiting,
    )


def _function_type(artefact: Artefact) -> str:
    if isinstance(artefact, WasmModule):
        return "RUST_WASM"
    return "CONTAINER" if isinstance(artefact, Image | PodImage) else "PYTHON"
