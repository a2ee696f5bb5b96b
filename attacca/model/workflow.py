"""Workflows: graphs of event functions and resources whose outputs lead to one another."""

import re
from typing import Annotated, Literal

import msgspec

from attacca.model.events import InstanceView, Rule
from attacca.model.function import MASK, Artefact, EnvName, Handler, Name
from attacca.model.invocation import Failed
from attacca.model.machine import Machine

COMPONENTS_MOST = 200
OUTPUTS_MOST = 200  # of one component
TARGETS_MOST = 64  # of one output
REPLICAS_MOST = 64
PAYLOAD_BYTES = 1 << 20
LABELS_MOST = 64
COMPONENT = re.compile(r"^[A-Za-z][A-Za-z0-9_-]{0,62}(?!\n)$")
CREDENTIALS = re.compile(r"//[^/\s@]*@")
COMPONENTS = "a letter, then letters, digits, _ and dashes; at most 63"
ComponentName = Annotated[str, msgspec.Meta(pattern=COMPONENT.pattern, description=COMPONENTS)]
Channel = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Names = Annotated[tuple[str, ...], msgspec.Meta(max_length=LABELS_MOST)]
Configuration = Annotated[dict[str, Annotated[str, msgspec.Meta(max_length=65_536)]], msgspec.Meta(max_length=100)]


class Output(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one leads: components, by name. `weights`: one for each, where the rule is `weighted`."""

    to: Annotated[tuple[ComponentName, ...], msgspec.Meta(min_length=1, max_length=TARGETS_MOST)]
    rule: Rule = Rule.ALL
    weights: tuple[Annotated[float, msgspec.Meta(gt=0)], ...] = ()

    def __post_init__(self) -> None:
        if (self.rule is Rule.WEIGHTED) != bool(self.weights):
            raise ValueError('weights belong to rule = "weighted", and it to them')
        if self.weights and len(self.weights) != len(self.to):
            raise ValueError(f"there are {len(self.to)} targets and {len(self.weights)} weights")


class Requirements(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an instance may run. `near`: at most so many milliseconds from another component, by its name."""

    nodes: Names = ()  # one of these; empty: anywhere
    labels: Names = ()  # it has all of them
    resources: Names = ()  # it hosts all of these classes
    tee: bool = False  # it runs in a trusted environment
    tpm: bool = False
    memory_mb: Annotated[int, msgspec.Meta(ge=0)] = 0  # of the machine
    cpus: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # of the machine
    near: Annotated[dict[ComponentName, Annotated[float, msgspec.Meta(ge=0)]], msgspec.Meta(max_length=64)] = {}
    max_instances: Annotated[int, msgspec.Meta(ge=0)] = 0  # of the component at once; 0: as many as it asks for


class Component(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One part of a workflow. It is either an event function, with `artefact`, or a resource, with `resource`."""

    name: ComponentName
    artefact: Artefact | None = None
    handler: Handler = ""
    memory_mb: Annotated[int, msgspec.Meta(ge=32, le=1_048_576)] = 128
    cpus: Annotated[float, msgspec.Meta(gt=0, le=1024)] | None = None
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 30.0  # of a call that it makes and says no limit for
    env: dict[EnvName, str] = {}
    payload: Annotated[str, msgspec.Meta(max_length=PAYLOAD_BYTES)] | None = None
    resource: Annotated[str, msgspec.Meta(max_length=100)] = ""  # its class
    configuration: Configuration = {}
    outputs: Annotated[dict[Channel, Output], msgspec.Meta(max_length=OUTPUTS_MOST)] = {}
    requires: Requirements = msgspec.field(default_factory=Requirements)
    replicas: Annotated[int, msgspec.Meta(ge=1, le=REPLICAS_MOST)] = 1  # what is sent to it goes to one of them
    standby: Literal["", "hot"] = ""  # of two, one is active, and the other takes its place at once

    def __post_init__(self) -> None:
        if (self.artefact is None) == (self.resource == ""):
            raise ValueError(f"{self.name} is an event function with code, or a resource with a class")
        if self.standby and self.replicas != 2:
            raise ValueError(f"{self.name} has standby, and {self.replicas} replicas: write replicas = 2")
        most = self.requires.max_instances
        if 0 < most < self.replicas:
            raise ValueError(f"{self.name} has {self.replicas} replicas, and max_instances is {most}")


class WorkflowSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody asks to be started."""

    name: Name
    components: Annotated[tuple[Component, ...], msgspec.Meta(min_length=1, max_length=COMPONENTS_MOST)]

    def __post_init__(self) -> None:
        names = [component.name for component in self.components]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"there are several components {twice[0]!r}")
        for component in self.components:
            far = next((name for name in component.requires.near if name not in names), None)
            if far is not None:
                raise ValueError(f"{component.name} is to be near {far!r}, which is not there")
            for channel, output in component.outputs.items():
                unknown = next((name for name in output.to if name not in names), None)
                if unknown is not None:
                    whose = f"the output {channel!r} of {component.name}"
                    raise ValueError(f"{whose} leads to {unknown!r}, which is not there")


def shown(spec: WorkflowSpec) -> WorkflowSpec:
    """As it may be shown: without values of `env`, and without users and passwords of addresses."""
    return msgspec.structs.replace(spec, components=tuple(map(shown_component, spec.components)))


def shown_component(component: Component) -> Component:
    configuration = {key: CREDENTIALS.sub(f"//{MASK}@", value) for key, value in component.configuration.items()}
    return msgspec.structs.replace(component, env=dict.fromkeys(component.env, MASK), configuration=configuration)


class InstanceRow(msgspec.Struct, frozen=True):
    """Where a component runs now."""

    component: str
    instance: str
    worker: str
    state: str  # starting, up, waiting
    starts: int  # so far
    why: str = ""  # the last that went wrong
    seen: InstanceView | None = None  # as its worker has told of it last
    domain: str = ""  # of a workflow that is in several: where it is; empty: in the domain that is asked


class WorkflowView(msgspec.Struct, frozen=True):
    """A workflow as it is shown. `domain`, `stage` and `why` are of a federation: where it is, and what became of it
    there."""

    id: str
    name: str
    started_at: float
    instances: tuple[InstanceRow, ...]
    spec: WorkflowSpec
    error: Failed | None = None
    domain: str = ""
    stage: str = ""
    why: str = ""


class NodeView(msgspec.Struct, frozen=True):
    """A worker as workflows see it. `memory_mb`: of all its sandboxes; `reserved_mb`: of that, by instances."""

    name: str
    cordoned: bool
    memory_mb: int
    reserved_mb: int
    instances: tuple[str, ...]
    machine: Machine
