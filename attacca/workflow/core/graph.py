"""A workflow that was accepted: its parts, where each of them runs, and where their outputs lead."""

from collections.abc import Iterable
from enum import StrEnum

from attacca.errors import AttaccaError
from attacca.model.events import FOLLOWS_MOST, REPLICA, Event, Target
from attacca.model.federation import Left
from attacca.model.function import ResourceClass, Revision, Settings, Signature
from attacca.model.invocation import Timing
from attacca.model.resources import Resources
from attacca.model.workflow import Component, InstanceRow, WorkflowSpec, WorkflowView, shown
from attacca.workflow.core import ingress

FIRST_S, LAST_S = 0.25, 30.0  # between two starts of a part that fails
RESOURCE_MB = 32


class Stage(StrEnum):
    WAITING = "waiting"  # for a node, or for its next start
    STARTING = "starting"
    UP = "up"
    MOVING = "moving"  # what it handles ends, and then its stop
    STOPPING = "stopping"
    GONE = "gone"


class Spare:
    """One that stands by for a part, on another node: its code is imported, and its `init` not called yet."""

    __slots__ = ("failures", "instance", "is_ready", "retry_at", "why", "worker")

    def __init__(self) -> None:
        self.instance = self.worker = self.why = ""
        self.is_ready = False
        self.retry_at = 0.0
        self.failures = 0

    def __repr__(self) -> str:
        return f"<Spare {self.instance or 'none'}{', ready' * self.is_ready}: {self.failures} failures>"

    def lose(self, now: float, why: str) -> None:
        self.instance = self.worker = ""
        self.is_ready = False
        self.retry_at, self.why = now + min(FIRST_S * 2**self.failures, LAST_S), why
        self.failures += 1

    def row(self, label: str) -> InstanceRow:
        state = "standby" if self.is_ready else str(Stage.STARTING if self.instance else Stage.WAITING)
        return InstanceRow(f"{label}{REPLICA}2", self.instance, self.worker, state, 0, self.why)


class Will:
    """What an instance left, or what strayed from one that was gone; its worker keeps it too. `follows`: of those that
    were given to it."""

    __slots__ = ("follows", "id", "unheard", "unsent", "worker")

    def __init__(
        self,
        worker: str,
        name: str,
        unheard: tuple[Event, ...],
        unsent: tuple[Event, ...],
        follows: tuple[str, ...] = (),
    ) -> None:
        self.worker, self.id = worker, name
        self.unheard, self.unsent, self.follows = unheard, unsent, follows

    def __repr__(self) -> str:
        return f"<Will {self.id}: {len(self.unheard)} unheard, {len(self.unsent)} unsent>"


class Part:
    """One replica of a component. `number` grows with its starts, and is part of its instance's name: what has a lower
    one is not it any more."""

    __slots__ = (
        "failures", "follows", "given", "instance", "key", "label", "number", "place", "refused_by", "retry_at",
        "revision", "spare", "spec", "stage", "starts", "state", "timing", "version", "wanted_at", "why", "wills",
        "worker", "workflow",
    )  # fmt: skip

    def __init__(
        self, workflow: "Workflow", spec: Component, revision: Revision, replica: int, retry_at: float
    ) -> None:
        self.workflow, self.spec, self.revision = workflow, spec, revision
        self.label = spec.name if replica == 1 else f"{spec.name}{REPLICA}{replica}"
        self.place = f"{workflow.root}.{self.label}"
        self.key = f"workflow-states/{workflow.root}/{self.label}"
        self.number = self.starts = 0
        self.instance = self.worker = ""  # empty: there is none
        self.stage = Stage.WAITING
        self.retry_at = retry_at
        self.failures = 0  # since it was up
        self.why = ""
        self.timing = Timing()
        self.state: bytes | None = None  # that is kept
        self.version = 0
        self.wills: dict[str, Will] = {}  # what instances left, that is not known to have come to the next
        self.given: tuple[str, ...] = ()  # those of them that an instance was started with, which is not up
        self.follows: dict[str, None] = {}  # those that one has got
        self.spare = Spare() if spec.standby else None
        self.refused_by: dict[str, None] = {}  # nodes that had no room for it, since it was up
        self.wanted_at = ""  # a node that it is to be on when it begins next

    def __repr__(self) -> str:
        return f"<Part {self.label} {self.stage}: {self.starts} starts, {len(self.wills)} wills>"

    def name(self) -> str:
        return f"{self.place}.{self.number}"

    @property
    def asked(self) -> Resources:
        return self.revision.settings.resources

    @property
    def is_there(self) -> bool:
        """What is sent to it is handled."""
        return self.stage is Stage.UP

    def target(self, weight: float, address: str) -> Target:
        if self.is_there:
            return Target(self.instance, self.worker, weight, address)
        return Target(self.name(), "", weight, "", is_held=True)

    def fail(self, now: float, why: str) -> None:
        self.stage, self.why = Stage.WAITING, why
        self.retry_at = now + min(FIRST_S * 2**self.failures, LAST_S)
        self.failures += 1

    def leaves(self) -> Left:
        wills = self.wills.values()
        return Left(
            self.label, self.number, self.version, self.state,
            tuple([event for will in wills for event in will.unheard]),
            tuple([event for will in wills for event in will.unsent]),
            tuple(self.follows | dict.fromkeys(self.wills))[-FOLLOWS_MOST:],
        )  # fmt: skip

    def rows(self) -> list[InstanceRow]:
        row = InstanceRow(self.label, self.instance, self.worker, str(self.stage), self.starts, self.why)
        return [row] if self.spare is None else [row, self.spare.row(self.label)]


class Workflow:
    """`generation` grows with each change of where its outputs lead. Of one that is in several domains each has a
    share: `root` is the id of the whole, and the parts are those of the share."""

    __slots__ = (
        "asked", "epoch", "failure", "generation", "hands_over", "id", "is_durable", "is_learning", "is_over",
        "is_stopping", "left", "lost", "parts", "replicas", "root", "senders", "spec", "started_at", "stops",
    )  # fmt: skip

    def __init__(
        self, name: str, spec: WorkflowSpec, started_at: float, now: float, components: tuple[str, ...] = ()
    ) -> None:
        """`components`: those of the share; none: all."""
        self.id, self.spec, self.started_at = name, spec, started_at
        self.root = whole(name)
        self.generation = 1
        self.asked = ""  # whoever waits until all are up
        self.stops: list[str] = []  # those who wait for its end
        self.failure: AttaccaError | None = None
        self.is_durable = self.is_stopping = self.hands_over = False
        self.is_over = False  # nothing of it is left but what lies in the store
        self.epoch = 0  # of the federation that has started it; 0: it is of none
        self.lost = ""  # the domain that had it before, and was given up
        self.left: tuple[Left, ...] = ()  # events of elsewhere that its instances are not known to have
        self.is_learning = False  # after a restart: nodes have not said yet what they run of it
        self.replicas: dict[str, list[Part]] = {}  # by component
        self.senders: dict[str, list[str]] = {}  # by component: those that lead to it
        for component in spec.components:
            if not components or component.name in components:
                made = revision(self, component)
                active = range(active_of(component))
                self.replicas[component.name] = [Part(self, component, made, one + 1, now) for one in active]
            for output in component.outputs.values():
                for to in output.to:
                    self.senders.setdefault(to, []).append(component.name)
        self.parts = {part.label: part for parts in self.replicas.values() for part in parts}

    def __repr__(self) -> str:
        up = sum(part.stage is Stage.UP for part in self.parts.values())
        return f"<Workflow {self.id} {self.spec.name}: {up} of {len(self.parts)} up, generation {self.generation}>"

    @property
    def is_wanted(self) -> bool:
        """It was accepted, and is to be kept up."""
        return self.is_durable and not self.is_stopping

    @property
    def is_scattered(self) -> bool:
        """Some of it is no part of this share."""
        return len(self.replicas) < len(self.spec.components)

    @property
    def components(self) -> tuple[str, ...]:
        """Those of its share; none: all."""
        return tuple(self.replicas) if self.is_scattered else ()

    def leading_to(self, names: Iterable[str]) -> list[Part]:
        """Those parts that send to any of these components, in their order."""
        senders = {sender: None for name in names for sender in self.senders.get(name, ())}
        return [part for name in senders for part in self.replicas.get(name, ())]

    def peers(self, component: Component) -> list[str]:
        """Components that it sends to, or that send to it."""
        sent_to = [name for output in component.outputs.values() for name in output.to]
        return list(dict.fromkeys([*sent_to, *self.senders.get(component.name, ())]))

    def inherit(self, left: tuple[Left, ...]) -> None:
        """Events, which no worker here keeps. The name says whether an instance has got them."""
        self.left = tuple(one for one in left if one.backlog or one.unsent)
        for one in self.left:
            part = self.parts.get(one.component)
            if part is not None:
                name = self.inherited(part)
                part.wills[name] = Will("", name, one.backlog, one.unsent)

    def leaves(self) -> tuple[Left, ...]:
        """What whoever goes on with it elsewhere begins with."""
        return tuple(part.leaves() for part in self.parts.values())

    def inherited(self, part: Part) -> str:
        return f"{part.place}/{self.epoch}"

    def split(self, component: str, now: float) -> "Workflow":
        """That component becomes a share of its own, with the instances that it has."""
        share = Workflow(share_of(self.root, component), self.spec, self.started_at, now, (component,))
        share.epoch, share.is_durable = self.epoch, self.is_durable
        share.left = tuple(one for one in self.left if one.component.partition(REPLICA)[0] == component)
        parts = self.replicas.pop(component)
        share.replicas[component] = parts
        share.parts = {part.label: part for part in parts}
        for part in parts:
            del self.parts[part.label]
            part.workflow = share
        share.generation = self.generation
        return share

    def view(self) -> WorkflowView:
        rows = [row for part in self.parts.values() for row in part.rows()]
        return WorkflowView(self.id, self.spec.name, self.started_at, tuple(rows), shown(self.spec))


def active_of(component: Component) -> int:
    """How many instances of it are active at once."""
    return 1 if component.standby else component.replicas


def share_of(root: str, component: str) -> str:
    """The id of what a component is, once it is in a domain of its own."""
    return f"{root}{REPLICA}{component}"


def whole(share: str) -> str:
    """The id of the workflow of which it is one; of what is no share, its own."""
    return share.partition(REPLICA)[0]


def revision(workflow: Workflow, spec: Component) -> Revision:
    """What its instances are made of: as a function's, under a name that no function has."""
    name = f"{workflow.root}.{spec.name}"
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
