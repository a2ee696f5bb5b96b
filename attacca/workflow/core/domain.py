"""The orchestrator of one domain: every component of an accepted workflow has one instance that is alive, wherever it
can run, and what it sends reaches those that are alive.

    StartAsked ──▶ Put ──▶ StartInstance to each node ──▶ InstanceUp of all ──▶ Reply
                                     ▲                          │
                                     └──── back-off ◀── InstanceDown, NodeLeft

A start that fails because of its code ends the workflow with the traceback; once it has been up it is kept up, for as
long as it takes. An instance has the number of its start in its name, so that an older one is known as such.
"""

from collections.abc import Iterator
from math import inf

import msgspec

from attacca.errors import AttaccaError, BadFunction, Cancelled, NoCapacity, NotFound
from attacca.kernel.chance import Chance
from attacca.kernel.ids import Ids
from attacca.kernel.timers import Alarm
from attacca.model.events import (
    AskInstances,
    InstanceDown,
    Instances,
    InstanceUp,
    NodeGone,
    Patch,
    StartInstance,
    StateKept,
    StateSynced,
    StopInstance,
)
from attacca.model.events import Event as Sent
from attacca.model.messages import Send
from attacca.model.workflow import WorkflowSpec, WorkflowView
from attacca.policy.placement.types import Ask, NoRoom, Placement, Placer, begin
from attacca.workflow.core.events import (
    Command,
    Erase,
    Event,
    NodeJoined,
    NodeLeft,
    NodeSeen,
    Put,
    Record,
    Reply,
    Restored,
    StartAsked,
    StateRecord,
    StopAsked,
    Stored,
    StoreFailed,
    Tick,
)
from attacca.workflow.core.graph import Part, Stage, Workflow
from attacca.workflow.core.nodes import Nodes

WORKFLOWS, STATES = "workflows/", "workflow-states/"
LEARN_S = 3.0  # after a restart, until nodes have said what they run
HOPELESS = ("bad_function", "runtime_missing", "not_found")  # trying again will not help a first start


class DomainCore:
    def __init__(self, placement: Placement, chance: Chance) -> None:
        self.workflows: dict[str, Workflow] = {}
        self.nodes = Nodes()
        self._placer: Placer = begin(placement, chance)
        self._ids = Ids(chance, "w")
        self._parts: dict[str, Part] = {}  # by instance that is there, or on its way
        self._versions: dict[str, int] = {}  # of what is in the store, by key
        self.alarm = Alarm()  # when it wants the next Tick; a Tick at any other time does no harm
        self._syncs: dict[str, list[StateSynced]] = {}  # by key: states that are being written, one after the other

    def __repr__(self) -> str:
        up = sum(part.stage is Stage.UP for part in self._all())
        return f"<DomainCore {len(self.workflows)} workflows, {up} of {len(list(self._all()))} up, {self.nodes!r}>"

    def handle(self, now: float, event: Event) -> list[Command]:
        out: list[Command] = []
        match event:
            case InstanceUp():
                self._up(event, out)
            case InstanceDown():
                self._down(now, event, out)
            case StateSynced():
                self._synced(event, out)
            case StartAsked():
                self._start(now, event, out)
            case StopAsked():
                self._stop(event, out)
            case Restored() | Stored() | StoreFailed():
                self._kept(now, event, out)
            case NodeJoined() | NodeSeen() | NodeLeft() | Instances():
                self._node(now, event, out)
            case Tick():
                pass
        self._place(now, out)
        self.alarm.at = self._wakes_at()
        return out

    def _node(self, now: float, event: NodeJoined | NodeSeen | NodeLeft | Instances, out: list[Command]) -> None:
        match event:
            case NodeJoined():
                self.nodes.join(event.view, event.address)
                self._placer.among(self.nodes.all())
                out.append(Send(event.view.name, AskInstances()))
            case NodeSeen():
                self.nodes.see(event.view)
            case NodeLeft():
                self._node_left(now, event.worker, out)
            case Instances():
                self._told(now, event, out)

    def _kept(self, now: float, event: Restored | Stored | StoreFailed, out: list[Command]) -> None:
        match event:
            case Restored():
                self._restore(now, event)
            case Stored():
                self._stored(event, out)
            case StoreFailed():
                self._store_failed(event, out)

    def _wakes_at(self) -> float:
        waiting = (part for part in self._all() if part.stage is Stage.WAITING and part.workflow.is_wanted)
        return min((part.retry_at for part in waiting), default=inf)

    def view(self, name: str) -> WorkflowView:
        """
        Raises:
            NotFound: there is no such workflow.
        """
        return self._expect(name).view()

    def views(self) -> list[WorkflowView]:
        """In the order in which they were started."""
        return [workflow.view() for workflow in self.workflows.values()]

    def names(self) -> frozenset[str]:
        """Of its event functions, as what they write into the log is kept by."""
        return frozenset(part.revision.function for part in self._all() if part.spec.artefact is not None)

    def digests(self) -> set[str]:
        """Of the code that is needed."""
        artefacts = [part.spec.artefact for part in self._all()]
        return {digest for artefact in artefacts if artefact is not None for digest in artefact.digests}

    # What is asked for.

    def _start(self, now: float, event: StartAsked, out: list[Command]) -> None:
        refusal = self._refusal(event.spec)
        if refusal is not None:
            out.append(Reply(event.id, refusal))
            return
        workflow = Workflow(self._ids.next(), event.spec, event.at, now)
        workflow.asked = event.id
        self.workflows[workflow.id] = workflow
        record = Record(workflow.id, event.spec, event.at)
        out.append(Put(WORKFLOWS + workflow.id, msgspec.json.encode(record), 0))

    def _refusal(self, spec: WorkflowSpec) -> AttaccaError | None:
        """Why it could not be started at all."""
        for component in spec.components:
            why = self.nodes.unfit(component)
            if why:
                return NoCapacity(
                    f"{component.name} can run nowhere: {why}", "attacca status shows which workers there are"
                )
        return None

    def _stop(self, event: StopAsked, out: list[Command]) -> None:
        try:
            workflow = self._expect(event.workflow)
        except NotFound as error:
            out.append(Reply(event.id, error))
            return
        workflow.stops.append(event.id)
        if not workflow.is_stopping:
            self._end(workflow, "it was asked for", out)

    def _expect(self, name: str) -> Workflow:
        """By its id, or by its name where only one has it.

        Raises:
            NotFound: there is none.
        """
        found = self.workflows.get(name)
        if found is not None:
            return found
        named = [one for one in self.workflows.values() if one.spec.name == name]
        if len(named) == 1:
            return named[0]
        what = f"there are {len(named)} workflows {name!r}" if named else f"there is no workflow {name[:80]!r}"
        raise NotFound(what, "attacca workflow list has their ids")

    def _end(self, workflow: Workflow, why: str, out: list[Command]) -> None:
        workflow.is_stopping = True
        for part in workflow.parts.values():
            if part.instance and part.worker:
                out.append(Send(part.worker, StopInstance(part.instance, why)))
            part.stage = Stage.STOPPING if part.instance else Stage.GONE
        self._ended(workflow, out)

    def _ended(self, workflow: Workflow, out: list[Command]) -> None:
        if not workflow.is_stopping or any(part.instance for part in workflow.parts.values()):
            return
        del self.workflows[workflow.id]
        keys = [part.key for part in workflow.parts.values()]
        out.extend(Erase(key) for key in keys if self._versions.pop(key, None) or key in self._syncs)
        self._versions.pop(WORKFLOWS + workflow.id, None)
        out.append(Erase(WORKFLOWS + workflow.id))
        if workflow.asked:
            out.append(Reply(workflow.asked, workflow.failure or Cancelled("it was stopped before all of it was up")))
        out.extend(Reply(id_, None) for id_ in workflow.stops)

    # Starting instances.

    def _place(self, now: float, out: list[Command]) -> None:
        for workflow in self.workflows.values():
            waiting = [part for part in workflow.parts.values() if part.stage is Stage.WAITING and part.retry_at <= now]
            if not workflow.is_wanted or not waiting:
                continue
            placed = [part for part in waiting if self._choose(now, part)]
            for part in placed:  # once all of them are known, so that each is told of the others
                self._begin(workflow, part, out)
            if placed:
                self._patch(workflow, placed, out)

    def _choose(self, now: float, part: Part) -> bool:
        asked = part.revision.settings.resources
        avoid = self.nodes.unfit_names(part.spec)
        answer = self._placer.place(now, Ask(part.revision.function, asked, avoid=tuple(avoid)))
        if isinstance(answer, NoRoom):
            part.fail(now, answer.why)
            return False
        part.number += 1
        part.instance, part.worker, part.stage = part.name(), answer.worker, Stage.STARTING
        self._parts[part.instance] = part
        self.nodes.reserve(part.worker, part.instance, asked)
        return True

    def _begin(self, workflow: Workflow, part: Part, out: list[Command]) -> None:
        spec, backlog = part.spec, tuple(part.backlog)
        part.backlog.clear()
        payload = None if spec.payload is None else spec.payload.encode()
        start = StartInstance(
            part.instance, workflow.id, spec.name, part.revision, payload, part.state, part.version,
            workflow.routes(part, self.nodes.address), backlog, workflow.generation,
        )  # fmt: skip
        out.append(Send(part.worker, start))

    def _patch(self, workflow: Workflow, changed: list[Part], out: list[Command]) -> None:
        """Those that send to what has changed, but for those that have just been told."""
        workflow.generation += 1
        names = {part.spec.name for part in changed}
        there = [part for part in workflow.parts.values() if part not in changed and part.instance]
        told = [part for part in there if part.leads_to(names)]
        out.extend(
            Send(part.worker, Patch(part.instance, workflow.generation, workflow.routes(part, self.nodes.address)))
            for part in told
        )

    # What workers say.

    def _up(self, event: InstanceUp, out: list[Command]) -> None:
        part = self._parts.get(event.id)
        if part is None:
            out.append(Send(event.worker, StopInstance(event.id, "nothing is known of it")))
            return
        if part.stage is Stage.STARTING:
            part.stage, part.failures, part.why = Stage.UP, 0, ""
            part.timing = event.timing
        workflow = part.workflow
        if workflow.asked and all(one.stage is Stage.UP for one in workflow.parts.values()):
            out.append(Reply(workflow.asked, workflow.view()))
            workflow.asked = ""

    def _down(self, now: float, event: InstanceDown, out: list[Command]) -> None:
        part = self._parts.pop(event.id, None)
        if part is None:
            return
        workflow, error = part.workflow, event.error
        self._lose(now, part, error.message, event.unheard)
        if workflow.is_stopping:
            part.stage = Stage.GONE
            self._ended(workflow, out)
        elif workflow.asked and error.code in HOPELESS:
            text = f"{part.spec.name}: {error.message}"
            workflow.failure = BadFunction(text + (f"\n{error.traceback}" if error.traceback else ""), error.hint)
            self._end(workflow, text, out)
        else:
            self._patch(workflow, [part], out)

    def _lose(self, now: float, part: Part, why: str, unheard: tuple[Sent, ...] = ()) -> None:
        self.nodes.free(part.worker, part.instance)
        part.backlog.extend(unheard)
        part.instance = part.worker = ""
        part.fail(now, why)

    def _node_left(self, now: float, worker: str, out: list[Command]) -> None:
        self.nodes.leave(worker)
        self._placer.among(self.nodes.all())
        lost = [part for part in self._all() if part.worker == worker]
        for part in lost:
            self._parts.pop(part.instance, None)
            self._lose(now, part, f"the node {worker} is gone")
            part.retry_at = now  # it is nobody's fault but the node's
        for workflow in {id(part.workflow): part.workflow for part in lost}.values():
            if workflow.is_stopping:
                for part in workflow.parts.values():
                    part.stage = Stage.GONE if not part.instance else part.stage
                self._ended(workflow, out)
            else:
                there = {part.worker for part in workflow.parts.values() if part.worker}
                out.extend(Send(name, NodeGone(worker)) for name in sorted(there))
                self._patch(workflow, [part for part in lost if part.workflow is workflow], out)

    def _told(self, now: float, event: Instances, out: list[Command]) -> None:
        """What a node that has joined runs already: it goes on, if it is the newest that there is of it."""
        for view in event.instances:
            part = self._parts.get(view.id) or self._adopted(view.id, view.workflow, view.component, event.worker)
            if part is None:
                out.append(Send(event.worker, StopInstance(view.id, "another is in its place")))
            elif view.is_up:
                self._up(InstanceUp(event.worker, view.id), out)

    def _adopted(self, instance: str, workflow: str, component: str, worker: str) -> Part | None:
        known = self.workflows.get(workflow)
        part = None if known is None else known.parts.get(component)
        number = int(instance.rpartition(".")[2]) if instance.rpartition(".")[2].isdigit() else 0
        if part is None or part.instance or part.workflow.is_stopping or number < part.number:
            return None
        part.number, part.instance, part.worker, part.stage = number, instance, worker, Stage.STARTING
        self._parts[instance] = part
        self.nodes.reserve(worker, instance, part.revision.settings.resources)
        return part

    # What is kept.

    def _synced(self, event: StateSynced, out: list[Command]) -> None:
        part = self._parts.get(event.id)
        if part is None:
            out.append(Send(event.worker, StateKept(event.id, event.version, "another has taken its place")))
            return
        record = StateRecord(part.workflow.id, part.spec.name, part.number, event.version, event.state)
        self._syncs.setdefault(part.key, []).append(event)
        out.append(Put(part.key, msgspec.json.encode(record), self._versions.get(part.key, 0)))

    def _stored(self, event: Stored, out: list[Command]) -> None:
        self._versions[event.key] = event.version
        if event.key.startswith(WORKFLOWS):
            workflow = self.workflows.get(event.key.removeprefix(WORKFLOWS))
            if workflow is not None:
                workflow.is_durable = True
            return
        told = self._written(event.key)
        if told is None:
            return
        part = self._parts.get(told.id)
        if part is not None:
            part.state, part.version = told.state, told.version
        out.append(Send(told.worker, StateKept(told.id, told.version)))

    def _store_failed(self, event: StoreFailed, out: list[Command]) -> None:
        if event.key.startswith(WORKFLOWS):
            workflow = self.workflows.pop(event.key.removeprefix(WORKFLOWS), None)
            if workflow is not None:
                out.append(Reply(workflow.asked, event.error))
            return
        told = self._written(event.key)
        if told is not None:
            out.append(Send(told.worker, StateKept(told.id, told.version, event.error.message)))

    def _written(self, key: str) -> StateSynced | None:
        """The first of those that wait for the store: it answers in their order."""
        waiting = self._syncs.get(key)
        if waiting is None:
            return None
        told = waiting.pop(0)
        if not waiting:
            del self._syncs[key]
        return told

    def _restore(self, now: float, event: Restored) -> None:
        """What runs is not made anew: nodes say first what they have."""
        for record, version in event.records:
            workflow = self.workflows[record.id] = Workflow(record.id, record.spec, record.started_at, now + LEARN_S)
            workflow.is_durable = True
            self._versions[WORKFLOWS + record.id] = version
        for state, version in event.states:
            known = self.workflows.get(state.workflow)
            part = None if known is None else known.parts.get(state.component)
            if part is not None:
                part.state, part.version, part.number = state.state, state.version, state.number
                self._versions[part.key] = version

    def _all(self) -> Iterator[Part]:
        for workflow in self.workflows.values():
            yield from workflow.parts.values()
