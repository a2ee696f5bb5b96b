"""The orchestrator of one domain: every component of an accepted workflow has one instance that is alive, wherever it
can run, and what it sends reaches those that are alive.

    StartAsked ──▶ Put ──▶ StartInstance to each node ──▶ InstanceUp of all ──▶ Patch, Reply
                                     ▲                          │
                                     └──── back-off ◀── InstanceDown, NodeLeft

A start that fails because of its code ends the workflow with the traceback; once it has been up it is kept up, for as
long as it takes. An instance has the number of its start in its name, so that an older one is known as such. Until one
is up, what is sent to it waits where it is sent from.
"""

from collections.abc import Sequence

from attacca.errors import AttaccaError, BadFunction, Cancelled, Conflict, NoCapacity, NotFound
from attacca.kernel.chance import Chance
from attacca.kernel.ids import Ids
from attacca.kernel.timers import Alarm
from attacca.model.events import (
    GRACE_S,
    AskInstances,
    Handed,
    InstanceDown,
    Instances,
    InstanceUp,
    NodeBack,
    NodeGone,
    StateSynced,
    StopInstance,
    Strayed,
)
from attacca.model.federation import Astray, Taken
from attacca.model.messages import Send
from attacca.model.workflow import WorkflowView
from attacca.policy.placement.types import Placement, begin
from attacca.workflow.core import handing
from attacca.workflow.core.adopting import Adopting
from attacca.workflow.core.books import Books
from attacca.workflow.core.events import (
    Command,
    Erased,
    Event,
    FarSaid,
    LeftTaken,
    MigrateAsked,
    NodeJoined,
    NodeLeft,
    NodeSeen,
    PortalOpened,
    Reply,
    Restored,
    StartAsked,
    StopAsked,
    Stored,
    StoreFailed,
    Tick,
)
from attacca.workflow.core.graph import Part, Stage, Workflow
from attacca.workflow.core.keeping import WORKFLOWS, Keeping
from attacca.workflow.core.moving import Moving
from attacca.workflow.core.nodes import LISTED, Nodes
from attacca.workflow.core.placing import Placing
from attacca.workflow.core.sharing import Sharing
from attacca.workflow.core.strays import Strays
from attacca.workflow.core.wills import Wills

OfNodes = NodeJoined | NodeSeen | NodeLeft | Instances | Strayed | Handed
OfStore = Restored | Stored | Erased | StoreFailed | LeftTaken
NO_ROOM = "no_capacity"  # of a worker: others have taken what was thought free
HOPELESS = ("bad_function", "runtime_missing", "not_found", "forbidden")  # trying again will not help a first start


class DomainCore:
    def __init__(self, placement: Placement, chance: Chance) -> None:
        self.books = books = Books()
        self.placing = Placing(books, begin(placement, chance))
        self.keeping = Keeping(books, self.placing)
        self.moving = Moving(books, self.placing)
        self.standby = self.placing.standby
        self.adopting = Adopting(books, self.standby)
        self.alarm = Alarm()  # when it wants the next Tick; one at any other time does no harm
        self.sharing = Sharing(books, self.placing, self.keeping, Ids(chance, "w"))
        self.wills = Wills(books, Ids(chance, "/"), self.keeping.inherited)
        self.strays = Strays(books, self.wills)
        self._late: list[StopAsked] = []  # what is to be handed over, once it is known what there is of it

    def __repr__(self) -> str:
        return f"<DomainCore {self.books!r}, {self.moving!r}>"

    def handle(self, now: float, event: Event) -> list[Command]:
        out: list[Command] = []
        match event:
            case InstanceUp():
                self._up(now, event, out)
            case InstanceDown():
                self._down(now, event, out)
            case StateSynced():
                self.keeping.synced(event, out)
            case StartAsked() | StopAsked() | MigrateAsked():
                self._ask(now, event, out)
            case Restored() | Stored() | Erased() | StoreFailed() | LeftTaken():
                self._kept(now, event, out)
            case NodeJoined() | NodeSeen() | NodeLeft() | Instances() | Strayed() | Handed():
                self._node(now, event, out)
            case FarSaid(message=Astray() | Taken() as told):
                self.strays.hear(event.domain, told, out)
            case FarSaid() | PortalOpened():
                self.sharing.hear(event, out)
            case Tick():
                pass
        self._go_on(now, out)
        return out

    def _go_on(self, now: float, out: list[Command]) -> None:
        """What is due, and what has waited for what was said."""
        self.keeping.ring(now, out)
        self.strays.ring(now, out)
        for missing in self.keeping.missed(now, out):
            self._tell_gone(missing, out)
        if self._late and not self.keeping.expected:
            late, self._late = self._late, []
            for asked in late:
                self._ask(now, asked, out)
        self.placing.place(now, out)
        self.alarm.at = min(self.placing.wakes_at, self.keeping.again_at, self.strays.again_at)

    def _ask(self, now: float, event: StartAsked | StopAsked | MigrateAsked, out: list[Command]) -> None:
        match event:
            case StartAsked():
                self._start(now, event, out)
            case StopAsked():
                if event.hands_over and self.keeping.expected:
                    self._late.append(event)  # nodes have not said yet what they run of it
                    return
                self.sharing.split(now, event.workflow, out)
                self._stop(event, out)
            case MigrateAsked():
                self.moving.ask(now, event, out)

    def _node(self, now: float, event: OfNodes, out: list[Command]) -> None:
        match event:
            case NodeJoined():
                self._node_left(now, event.view.name, out)
                self.nodes.join(event.view, event.address, event.machine)
                self.placing.among()
                self.keeping.remember(out)
                out.append(Send(event.view.name, AskInstances(tuple(self.nodes.gone))))
            case NodeSeen():
                self.nodes.see(event.view)
            case NodeLeft():
                self._node_left(now, event.worker, out)
                self.keeping.remember(out)
            case Instances():
                self._told(now, event, out)
                self.keeping.heard(now, event.worker)
            case Strayed():
                if not self.wills.strayed(event, out):
                    self.strays.keep(now, event, out)
            case Handed():
                self.wills.handed(event, out)

    def _kept(self, now: float, event: OfStore, out: list[Command]) -> None:
        match event:
            case LeftTaken():
                self.keeping.taken(event, out)
            case Erased():
                self._gone(self.keeping.erased(event, out), out)
            case Restored():
                self.keeping.restore(now, event, out)
            case Stored():
                self._gone(self.keeping.stored(now, event, out), out)
                self._written(event.key, out)
            case StoreFailed():
                if (failed := self.keeping.failed(now, event, out)) is not None:
                    out.append(Reply(failed.asked, event.error))
                    self._over(failed, out)
                self._written(event.key, out)

    def _written(self, key: str, out: list[Command]) -> None:
        """Who ends may wait for what it has synced last, or to be known as a share."""
        for workflow in [one for one in self.workflows.values() if one.is_stopping]:
            names = (WORKFLOWS + workflow.id, WORKFLOWS + workflow.root)
            if key in names or any(part.key == key for part in workflow.parts.values()):
                self._ended(workflow, out)

    # What is there.

    @property
    def workflows(self) -> dict[str, Workflow]:
        return self.books.workflows

    @property
    def nodes(self) -> Nodes:
        return self.books.nodes

    def view(self, name: str) -> WorkflowView:
        """
        Raises:
            NotFound: there is no such workflow.
        """
        return self.books.view(self.books.shares(self.books.expect(name).root))

    def fits(self, component: str, node: str, beside: Sequence[str]) -> str:
        """See `intents.Fits`; a component is WORKFLOW.COMPONENT."""
        parts = self.books.replicas(component)
        if not parts:
            return "it is not there any more"
        asked = [part.asked for name in (component, *beside) for part in self.books.replicas(name)]
        return next((why for part in parts if (why := self.nodes.unready(node, part, asked))), "")

    # What is asked for.

    def _start(self, now: float, event: StartAsked, out: list[Command]) -> None:
        workflow = self.sharing.made(now, event)
        if (refusal := self._refusal(workflow)) is not None:
            out.append(Reply(event.id, refusal))
            return
        workflow.asked = event.id
        self.workflows[workflow.id] = workflow
        handing.inherit(workflow, event.left)
        self.sharing.begin(workflow, out)
        self.keeping.begin(workflow, out)

    def _refusal(self, workflow: Workflow) -> AttaccaError | None:
        """Why it could not be started at all."""
        for part in workflow.parts.values():
            if why := self.nodes.unfit(part.spec, part.asked):
                return NoCapacity(f"{part.label} can run nowhere: {why}", LISTED)
        return None

    def _stop(self, event: StopAsked, out: list[Command]) -> None:
        try:
            workflow = self.books.expect(event.workflow)
        except NotFound as error:
            out.append(Reply(event.id, error))
            return
        workflow.stops.append(event.id)
        if not workflow.is_stopping:
            if event.hands_over:
                handing.hold(workflow, self.placing, out)
            self._end(workflow, "it was asked for", out)

    def _end(self, workflow: Workflow, why: str, out: list[Command]) -> None:
        workflow.is_stopping = True
        self.moving.end(list(workflow.parts.values()), Conflict("the workflow was stopped", ""), out)
        for part in workflow.parts.values():
            if part.instance and part.worker:
                grace_s = part.spec.timeout_s if workflow.hands_over else GRACE_S
                stop = StopInstance(part.instance, why, hands_over=workflow.hands_over, grace_s=grace_s)
                out.append(Send(part.worker, stop))
            self.standby.stop(part, why, out)
            part.stage = Stage.STOPPING if part.instance else Stage.GONE
        self._ended(workflow, out)

    def _ended(self, workflow: Workflow, out: list[Command]) -> None:
        if not workflow.is_stopping or workflow.is_over:
            return
        parts = workflow.parts.values()
        is_there = any(part.instance or (part.spare and part.spare.instance) for part in parts)
        if is_there or (workflow.hands_over and any(part.key in self.placing.writing for part in parts)):
            return  # or what it has synced last is not kept yet
        if workflow.id == workflow.root or self.keeping.is_recorded(workflow):
            workflow.is_over = True  # else who begins anew would take it for a part of the whole
            self.keeping.end(workflow, out)

    def _gone(self, workflow: Workflow | None, out: list[Command]) -> None:
        """It cannot come back. What it leaves is with its workers until then, and is told to nobody before."""
        if workflow is not None:
            del self.workflows[workflow.id]
            if workflow.asked:
                out.append(
                    Reply(workflow.asked, workflow.failure or Cancelled("it was stopped before all of it was up"))
                )
            self._over(workflow, out)

    def _over(self, workflow: Workflow, out: list[Command]) -> None:
        out.extend(Reply(id_, handing.over(workflow)) for id_ in workflow.stops)
        self.wills.end(workflow, out)
        self.sharing.end(workflow)

    # What workers say.

    def _up(self, now: float, event: InstanceUp, out: list[Command]) -> None:
        spared = self.books.spared(event.id, event.worker) if event.is_standby else None
        if spared is not None:
            self.standby.ready(*spared)
            return
        part = self.books.part(event.id, event.worker)
        if part is None:
            out.append(Send(event.worker, StopInstance(event.id, "nothing is known of it")))
            return
        if part.stage is not Stage.STARTING:
            return
        part.stage, part.failures = Stage.UP, 0
        part.refused_by.clear()
        self.wills.up(part, out)
        part.timing = event.timing
        self.standby.want(part, now)
        workflow = part.workflow
        if not workflow.asked:
            self.placing.changed([part], out)
        elif all(one.stage is Stage.UP for one in workflow.parts.values()):
            asked, workflow.asked = workflow.asked, ""
            self.placing.begun(workflow, out)
            out.append(Reply(asked, workflow.view()))
        self.moving.up(part, out)
        part.why = ""

    def _down(self, now: float, event: InstanceDown, out: list[Command]) -> None:
        spared = self.books.spared(event.id, event.worker)
        if spared is not None:
            self.standby.lose(now, *spared, event.error.message)
            self._ended(spared[0].workflow, out)
            return
        part = self.books.part(event.id, event.worker)
        if part is None:  # its place may have another, for whom these are now
            self.standby.left(now, event.id)
            self.wills.late(event, out)
            return
        workflow, error, was = part.workflow, event.error, part.stage
        self.wills.down(part, event, out)
        if error.code == NO_ROOM:
            part.refused_by[event.worker] = None
        self.placing.lose(now, part, error.message)
        if workflow.is_stopping:
            part.stage = Stage.GONE
            self._ended(workflow, out)
        elif workflow.asked and error.code in HOPELESS:
            text = f"{part.label}: {error.message}"
            workflow.failure = BadFunction(text + (f"\n{error.traceback}" if error.traceback else ""), error.hint)
            self._end(workflow, text, out)
        elif was is Stage.MOVING:  # who sends to it knows that it moves
            part.failures, part.why = 0, ""
            part.retry_at = now
            self.placing.wait(part)
        elif was is Stage.UP:
            self.placing.changed([part], out)
            if part.failures == 1 and self.standby.has(part):
                part.retry_at = now
                self.placing.wait(part)

    def _node_left(self, now: float, worker: str, out: list[Command]) -> None:
        node = self.nodes.leave(worker)
        if node is None:
            return
        self.placing.among()
        lost = [part for part in map(self.books.parts.get, node.ours) if part is not None]
        by_workflow: dict[str, list[Part]] = {}
        for name in node.ours:
            spared = self.books.spared(name, worker)
            if spared is not None:
                self.standby.lose(now, *spared, f"the node {worker} is gone")
                by_workflow.setdefault(spared[0].workflow.id, [])
        for part in lost:
            self.placing.lose(now, part, f"the node {worker} is gone")
            part.retry_at = now  # it is nobody's fault but the node's
            self.placing.wait(part)
            by_workflow.setdefault(part.workflow.id, []).append(part)
        for name, parts in by_workflow.items():
            workflow = self.workflows[name]
            if workflow.is_stopping:
                for part in parts:
                    part.stage = Stage.GONE
                self._ended(workflow, out)
            elif parts:
                self.placing.changed(parts, out)
        self._tell_gone(worker, out)

    def _tell_gone(self, worker: str, out: list[Command]) -> None:
        out.extend(Send(name, NodeGone(worker)) for name in self.nodes.by_name)

    def _told(self, now: float, event: Instances, out: list[Command]) -> None:
        """What a node that has joined runs already: it goes on, if it is the newest that there is of it."""
        learned: dict[str, Workflow] = {}
        replaced: list[str] = []
        for view in event.instances:
            if view.is_standby:
                self.adopting.spare(view, event.worker, out)
                continue
            part = self.books.part(view.id, event.worker)
            if part is None:
                part = self.adopting.adopt(view, event.worker, out)
                if part is not None:
                    self.wills.adopted(part, event.follows.get(view.id, ()), out)
            if part is None:
                self.adopting.refuse(view, event.worker, out)
                replaced.append(view.id)
                continue
            workflow = part.workflow
            workflow.generation = max(workflow.generation, view.generation)
            if view.is_up:
                self._up(now, InstanceUp(event.worker, view.id), out)
            learned[workflow.id] = workflow
        for workflow in learned.values():
            if workflow.is_learning and all(part.instance for part in workflow.parts.values()):
                self.placing.learned(workflow, out)
        if event.worker in self.nodes.back:
            del self.nodes.back[event.worker]
            back = NodeBack(event.worker, tuple(replaced))
            out.extend(Send(name, back) for name in self.nodes.by_name if name != event.worker)
