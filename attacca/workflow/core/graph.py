"""A workflow that was accepted: its parts, where each of them runs, and where their outputs lead."""

from collections.abc import Callable
from enum import StrEnum

from attacca.errors import AttaccaError
from attacca.model.events import Event, Route, Target
from attacca.model.function import ResourceClass, Revision, Settings, Signature
from attacca.model.invocation import Timing
from attacca.model.workflow import Component, InstanceRow, WorkflowSpec, WorkflowView
from attacca.workflow.core import ingress

FIRST_S, LAST_S = 0.25, 30.0  # between two starts of a part that fails
RESOURCE_MB = 32


class Stage(StrEnum):
    WAITING = "waiting"  # for a node, or for its next start
    STARTING = "starting"
    UP = "up"
    STOPPING = "stopping"
    GONE = "gone"


class Part:
    """One component. `number` counts its starts, and is part of its instance's name."""

    __slots__ = (
        "backlog", "failures", "instance", "key", "number", "retry_at", "revision", "spec", "stage", "state", "timing",
        "version", "why", "worker", "workflow",
    )  # fmt: skip

    def __init__(self, workflow: "Workflow", spec: Component, retry_at: float) -> None:
        self.workflow, self.spec = workflow, spec
        self.revision = revision(workflow, spec)
        self.key = f"workflow-states/{workflow.id}/{spec.name}"
        self.number = 0
        self.instance = self.worker = ""  # empty: there is none
        self.stage = Stage.WAITING
        self.retry_at = retry_at
        self.failures = 0  # since it was up
        self.why = ""
        self.timing = Timing()
        self.state: bytes | None = None  # that is kept
        self.version = 0
        self.backlog: list[Event] = []  # what an instance left behind, for the next

    def __repr__(self) -> str:
        return f"<Part {self.spec.name} {self.stage}: {self.number} starts, {len(self.backlog)} events left behind>"

    def name(self) -> str:
        return f"{self.workflow.id}.{self.spec.name}.{self.number}"

    def fail(self, now: float, why: str) -> None:
        self.stage, self.why = Stage.WAITING, why
        self.retry_at = now + min(FIRST_S * 2**self.failures, LAST_S)
        self.failures += 1

    def leads_to(self, names: set[str]) -> bool:
        return any(name in names for output in self.spec.outputs.values() for name in output.to)


class Workflow:
    """`generation` grows with each change of where its outputs lead."""

    __slots__ = (
        "asked", "failure", "generation", "id", "is_durable", "is_stopping", "parts", "spec", "started_at", "stops",
    )  # fmt: skip

    def __init__(self, name: str, spec: WorkflowSpec, started_at: float, now: float) -> None:
        self.id, self.spec, self.started_at = name, spec, started_at
        self.generation = 1
        self.asked = ""  # whoever waits until all are up
        self.stops: list[str] = []  # those who wait for its end
        self.failure: AttaccaError | None = None
        self.is_durable = self.is_stopping = False
        self.parts = {component.name: Part(self, component, now) for component in spec.components}

    def __repr__(self) -> str:
        up = sum(part.stage is Stage.UP for part in self.parts.values())
        return f"<Workflow {self.id} {self.spec.name}: {up} of {len(self.parts)} up, generation {self.generation}>"

    @property
    def is_wanted(self) -> bool:
        """It was accepted, and is to be kept up."""
        return self.is_durable and not self.is_stopping

    def routes(self, part: Part, address: Callable[[str], str]) -> tuple[Route, ...]:
        """Of one of its parts. A target that is nowhere now is waited for."""
        routes = []
        for channel, output in part.spec.outputs.items():
            weights = output.weights or (1.0,) * len(output.to)
            parts = [self.parts[name] for name in output.to]
            targets = tuple(
                Target(one.instance, one.worker, weight, address(one.worker))
                for one, weight in zip(parts, weights, strict=True)
                if one.instance
            )
            routes.append(Route(channel, targets, output.rule, is_held=len(targets) < len(parts)))
        return tuple(routes)

    def view(self) -> WorkflowView:
        rows = tuple(
            InstanceRow(part.spec.name, part.instance, part.worker, str(part.stage), part.number, part.why)
            for part in self.parts.values()
        )
        return WorkflowView(self.id, self.spec.name, self.started_at, rows, self.spec)


def revision(workflow: Workflow, spec: Component) -> Revision:
    """What its instances are made of: as a function's, under a name that no function has."""
    name = f"{workflow.id}.{spec.name}"
    if spec.artefact is None:
        settings = Settings(name=workflow.spec.name, memory_mb=RESOURCE_MB)
        if spec.resource == ingress.INGRESS:
            settings = ingress.settings(spec, workflow.spec.name, RESOURCE_MB)
        artefact = ResourceClass(spec.resource, tuple(sorted(spec.configuration.items())))
        return Revision(
            function=name, number=1, settings=settings, handler="", signature=Signature.EVENTS,
            event=ingress.shape(spec), artefact=artefact,
        )  # fmt: skip
    settings = Settings(
        name=workflow.spec.name, memory_mb=spec.memory_mb, cpus=spec.cpus, timeout_s=spec.timeout_s, env=spec.env
    )
    return Revision(
        function=name, number=1, settings=settings, handler=spec.handler, signature=Signature.EVENTS,
        artefact=spec.artefact,
    )  # fmt: skip
