"""The controller of a federation: every accepted workflow is in one domain that can have it, or is parked.

    StartAsked ──▶ Put ──▶ BeginWorkflow to one domain ──▶ WorkflowBegun ──▶ Reply
                    ▲                 │
                    │                 └─▶ WorkflowRefused ──▶ the next one, or parked
                    └── WorkflowEnded ◀── EndWorkflow ◀── MigrateAsked
                    └── the domain has been away for too long

Each start somewhere has an epoch, which is durable before the domain hears of it. Whoever has a workflow of another
epoch is told to end it. What has begun is not begun again because this was away: domains say what they have.
"""

from attacca.errors import AttaccaError, BadFunction, Cancelled, Conflict, NoCapacity, NotFound
from attacca.federation.core.events import (
    Asked,
    Command,
    DomainLeft,
    Event,
    Kept,
    MigrateAsked,
    Reply,
    Restored,
    StartAsked,
    StopAsked,
    Stored,
    StoreFailed,
    Tick,
)
from attacca.federation.core.hosted import Domain, Stage, Workflow
from attacca.federation.core.keeping import Keeping
from attacca.federation.core.known import LISTED, Known
from attacca.federation.core.placing import Placing
from attacca.kernel.chance import Chance
from attacca.kernel.ids import Ids
from attacca.kernel.timers import Alarm
from attacca.model.events import REPLICA
from attacca.model.federation import (
    DomainJoined,
    DomainSeen,
    EndWorkflow,
    FromDomain,
    Hosted,
    StateCopied,
    WorkflowBegun,
    WorkflowEnded,
    WorkflowRefused,
)
from attacca.model.messages import Send
from attacca.model.workflow import WorkflowView
from attacca.policy.placement.types import Placement, begin

HOPELESS = ("bad_function", "runtime_missing", "not_found", "forbidden", "bad_request")  # it is so in every domain
LEARN_S = 20.0  # after a restart, at least, until a domain that has not come back is given up
LATE_S = 1.0  # an alarm that is heard so late says that nothing was heard


class FederationCore:
    """`silent_s`: so long a domain may say nothing before its workflows go on elsewhere."""

    def __init__(self, placement: Placement, chance: Chance, silent_s: float) -> None:
        self.known = Known()
        self.workflows, self.domains = self.known.workflows, self.known.domains
        self.alarm = Alarm()
        self._silent_s = silent_s
        self._ids = Ids(chance, "f")
        self._keeping = Keeping(self.workflows)
        self._placing = Placing(self.workflows, self.domains, begin(placement, chance), self._keeping)

    def __repr__(self) -> str:
        return repr(self.known).replace("Known", "FederationCore")

    def view(self, name: str) -> WorkflowView:
        """
        Raises:
            NotFound: there is none of that id or name, or there are several.
        """
        return self.known.view(self.known.expect(name))

    def handle(self, now: float, event: Event) -> list[Command]:
        out: list[Command] = []
        if now - self.alarm.at > LATE_S:
            self._wake(now)
        match event:
            case StartAsked() | StopAsked() | MigrateAsked():
                self._ask(now, event, out)
            case Restored() | Stored() | StoreFailed():
                self._kept(now, event, out)
            case DomainLeft():
                domain = self.domains.get(event.domain)
                if domain is not None and domain.is_here:
                    domain.is_here = False
                    domain.lost_at = now + self._silent_s
                    self._placing.among()
            case Tick():
                pass
            case _:
                self._hear(now, event, out)
        for domain in self.domains.values():
            if domain.lost_at <= now:
                self._give_up(now, domain, out)
        self._keeping.ring(now, out)
        self._placing.place(now, out)
        self.alarm.at = min(
            [self._placing.due.at, self._keeping.again_at, *(domain.lost_at for domain in self.domains.values())]
        )
        return out

    def _wake(self, now: float) -> None:
        """It was away itself, and what domains have said meanwhile waits to be heard."""
        for domain in self.domains.values():
            if domain.is_here and not domain.is_dead:
                domain.lost_at = now + self._silent_s

    # What is asked for.

    def _ask(self, now: float, event: Asked, out: list[Command]) -> None:
        if isinstance(event, StartAsked):
            workflow = Workflow(self._ids.next(), event.spec, event.at)
            workflow.asked = event.id
            self.workflows[workflow.id] = workflow
            self._placing.wait(workflow, now)
            return
        try:
            if isinstance(event, StopAsked):
                self._stop(self.known.expect(event.workflow), event.id, out)
            else:
                self._migrate(now, event, out)
        except AttaccaError as error:
            out.append(Reply(event.id, error))

    def _stop(self, workflow: Workflow, asked: str, out: list[Command]) -> None:
        """All of it, wherever that is."""
        workflow.stops.append(asked)
        for one in self.known.family(workflow):
            if one.stage is Stage.PARKED:
                self._forget(one, Cancelled("it was stopped before it was up anywhere"), out)
            elif one.stage is not Stage.STOPPING:
                one.stage = Stage.STOPPING
                self._keeping.put(one, out)  # once that is durable, its domain is told

    def _migrate(self, now: float, event: MigrateAsked, out: list[Command]) -> None:
        """
        Raises:
            NotFound: there is no such workflow, component or domain.
            Conflict: it is on its way already, is there, or is all that is left.
            NoCapacity: none of the domains can have it, and why not.
        """
        workflow = self.known.part(self.known.expect(event.workflow), event.component)
        for name in event.to:
            self.known.expect_domain(name)
        if workflow.stage not in (Stage.UP, Stage.PARKED):
            raise Conflict(f"{workflow.spec.name} is {workflow.stage}", "try again in a moment")
        if workflow.domain in event.to:
            raise Conflict(f"{workflow.spec.name} is in {workflow.domain} already", "name another domain")
        whys = [(name, self._placing.unready(workflow, name)) for name in event.to]
        if all(why for _, why in whys):
            told = "; ".join(f"{name}: {why}" for name, why in whys)
            raise NoCapacity(f"{workflow.spec.name} cannot move: {told}", LISTED)
        workflow.to = tuple(name for name, why in whys if not why)
        workflow.moved = event.id
        if workflow.stage is Stage.PARKED:
            self._placing.wait(workflow, now)
            return
        workflow.stage = Stage.LEAVING
        if workflow.id not in self.workflows:
            self.known.add(workflow)
            self._keeping.put(workflow, out)
            self._keeping.inherit(self.workflows[workflow.root], workflow, out)
        self._keeping.leave(workflow, out)

    def _forget(self, workflow: Workflow, error: AttaccaError, out: list[Command]) -> None:
        self._placing.free(workflow)
        self.known.remove(workflow)
        self._keeping.erase(workflow, out)
        if workflow.asked:
            out.append(Reply(workflow.asked, error))
        if workflow.moved:
            out.append(Reply(workflow.moved, Conflict("the workflow was stopped", "")))
        family = self.known.family(workflow)
        if family:
            family[0].stops.extend(workflow.stops)
        else:
            out.extend(Reply(one, None) for one in workflow.stops)

    # What the store says.

    def _kept(self, now: float, event: Kept, out: list[Command]) -> None:
        match event:
            case Restored():
                self._keeping.restore(event, out)
                for workflow in self.workflows.values():
                    if workflow.domain:
                        domain = self.domains.setdefault(workflow.domain, Domain(workflow.domain))
                        domain.lost_at = now + max(self._silent_s, LEARN_S)
                    else:
                        self._placing.wait(workflow, now)
            case Stored():
                self._keeping.stored(event.key, out)
                self._go_on(now, event.key)
            case StoreFailed():
                failed = self._keeping.failed(now, event, out)
                if failed is not None:
                    self._placing.free(failed)
                    if failed.stage is Stage.LEAVING:
                        self.known.remove(failed)  # it stays a component of the whole
                        out.append(Reply(failed.moved, event.error))
                    elif failed.asked:
                        self._forget(failed, event.error, out)
                    else:
                        self._placing.park(now, failed, f"it cannot be kept: {event.error.message}")
                self._go_on(now, event.key)

    def _go_on(self, now: float, key: str) -> None:
        """What it left behind is kept: now it can begin elsewhere."""
        workflow = self._keeping.whose(key)
        is_all = workflow is not None and key != workflow.key and not workflow.writing
        if workflow is not None and is_all and workflow.stage is Stage.PARKED:
            self._placing.wait(workflow, now)

    # What domains say.

    def _hear(self, now: float, event: FromDomain, out: list[Command]) -> None:
        domain = self.domains.get(event.domain)
        if isinstance(event, DomainJoined):
            self._join(now, event, out)
            return
        if domain is None:
            return
        self._alive(now, domain)
        match event:
            case DomainSeen():
                self._seen(now, domain, event, out)
            case WorkflowBegun():
                self._begun(event, out)
            case WorkflowRefused():
                self._refused(now, event, out)
            case WorkflowEnded():
                self._ended(now, event, out)
            case StateCopied():
                self._keeping.copied(event, out)

    def _alive(self, now: float, domain: Domain) -> None:
        domain.lost_at = now + self._silent_s
        if domain.is_dead:
            domain.is_dead = False
            self._placing.among()
            self._placing.look_again(now)

    def _join(self, now: float, event: DomainJoined, out: list[Command]) -> None:
        domain = self.domains.setdefault(event.domain, Domain(event.domain))
        domain.is_here, domain.is_dead, domain.summary = True, False, event.summary
        domain.lost_at = now + self._silent_s
        for ended in event.ended:
            self._ended(now, ended, out)
        hosted = self.known.unfolded(event.hosted)
        told = {one.workflow: one for one in hosted}
        for one in hosted:
            self._adopt(event.domain, one)
            if not self.known.is_current(event.domain, one.workflow, one.epoch):
                out.append(Send(event.domain, EndWorkflow(one.workflow, one.epoch, "another is in its place")))
        for workflow in [one for one in self.workflows.values() if one.domain == event.domain]:
            self._compare(now, workflow, told.get(workflow.id), out)
        self._tell_portals(out)
        self._placing.among()
        self._placing.look_again(now)

    def _tell_portals(self, out: list[Command]) -> None:
        told = self.known.portals()
        out.extend(Send(one.name, told) for one in self.domains.values() if one.is_here and told.addresses)

    def _adopt(self, domain: str, told: Hosted) -> None:
        """It was given up, and is nowhere else yet."""
        workflow = self.workflows.get(told.workflow)
        if workflow is not None and workflow.stage is Stage.PARKED and workflow.epoch == told.epoch:
            workflow.domain, workflow.stage, workflow.failures = domain, Stage.STARTING, 0
            workflow.why += f"; {domain} has come back with it"

    def _compare(self, now: float, workflow: Workflow, told: Hosted | None, out: list[Command]) -> None:
        """What that domain should have of a workflow, and has."""
        has_it = told is not None and told.epoch == workflow.epoch
        if workflow.stage in (Stage.LEAVING, Stage.STOPPING):
            if has_it:
                hands_over = workflow.stage is Stage.LEAVING
                out.append(Send(workflow.domain, EndWorkflow(workflow.id, workflow.epoch, "as asked", hands_over)))
            else:
                self._ended(now, WorkflowEnded(workflow.domain, workflow.id, workflow.epoch), out)
        elif has_it and told is not None and told.is_ending:
            workflow.stage = Stage.LEAVING  # a federation before this one has asked for it
        elif has_it and told is not None and told.is_up:
            self._begun(WorkflowBegun(workflow.domain, workflow.id, workflow.epoch, workflow.rows), out)
        elif not has_it:
            workflow.stage = Stage.STARTING
            workflow.epoch += 1  # it may have had it, and have lost it
            self._keeping.put(workflow, out)

    def _seen(self, now: float, domain: Domain, event: DomainSeen, out: list[Command]) -> None:
        before, domain.summary = domain.summary, event.summary
        if before.portal != event.summary.portal:
            self._tell_portals(out)
        for told in event.rows:
            workflow = self.workflows.get(told.workflow)
            if workflow is not None and workflow.domain == domain.name:
                workflow.rows = told.rows
        if before.nodes != event.summary.nodes or event.summary.reserved_mb < before.reserved_mb:
            self._placing.look_again(now)

    def _begun(self, event: WorkflowBegun, out: list[Command]) -> None:
        if not self.known.is_current(event.domain, event.workflow, event.epoch):
            why = "another is in its place"
            out.append(Send(event.domain, EndWorkflow(event.workflow, event.epoch, why)))
            return
        workflow = self.workflows[event.workflow]
        if workflow.stage is not Stage.STARTING:
            return
        workflow.stage, workflow.failures, workflow.rows = Stage.UP, 0, event.rows
        self._placing.free(workflow)
        self._keeping.handed_over(workflow, out)
        if workflow.asked:
            out.append(Reply(workflow.asked, self.known.view(workflow)))
        if workflow.moved:
            is_there = workflow.domain in workflow.to
            elsewhere = NoCapacity(f"it is in {workflow.domain} instead: {workflow.why}", LISTED)
            out.append(Reply(workflow.moved, self.known.view(workflow) if is_there else elsewhere))
        workflow.asked = workflow.moved = ""
        workflow.to = ()

    def _refused(self, now: float, event: WorkflowRefused, out: list[Command]) -> None:
        if not self.known.is_current(event.domain, event.workflow, event.epoch):
            return
        workflow = self.workflows[event.workflow]
        error = event.error
        if workflow.stage is Stage.STOPPING:
            self._forget(workflow, Cancelled("it was stopped before it was up"), out)
        elif workflow.stage is Stage.STARTING:
            self._placing.free(workflow)
            if workflow.asked and error.code in HOPELESS:
                text = error.message + (f"\n{error.traceback}" if error.traceback else "")
                kind = NotFound if error.code == NotFound.code else BadFunction
                self._forget(workflow, kind(text, error.hint), out)
            else:
                workflow.refused[event.domain] = error.message
                self._placing.park(now, workflow, f"{event.domain}: {error.message}", at=now)

    def _ended(self, now: float, event: WorkflowEnded, out: list[Command]) -> None:
        if not self.known.is_current(event.domain, event.workflow, event.epoch):
            self._keeping.answer(event, out)
            return
        workflow = self.workflows[event.workflow]
        if workflow.stage is Stage.STOPPING:
            self._keeping.answer(event, out)
            self._forget(workflow, Cancelled("it was stopped before all of it was up"), out)
            return
        self._keeping.take(workflow, event, out)
        ended = {left.component.partition(REPLICA)[0] for left in event.left}
        for share in self.known.shares(workflow):  # they were to leave, and their domain had not been told so
            if self.known.is_current(event.domain, share.id, event.epoch):
                self._keeping.inherit(workflow, share, out)
                if share.component in ended and share.stage in (Stage.UP, Stage.STARTING):  # nor will it be
                    share.to = workflow.to
                    self._leave(now, share, event.domain)
        self._leave(now, workflow, event.domain)

    def _leave(self, now: float, workflow: Workflow, domain: str) -> None:
        """It has ended there, and goes on elsewhere."""
        self._placing.free(workflow)
        workflow.given_up = ""
        why = f"moved from {domain}" if workflow.stage is Stage.LEAVING else f"it ended in {domain}"
        self._placing.park(now, workflow, why, at=now)

    def _give_up(self, now: float, domain: Domain, out: list[Command]) -> None:
        """Its workflows go on elsewhere. If it lives after all, it hears that they are not its own any more."""
        domain.lost_at, domain.is_dead = float("inf"), True
        self._placing.among()
        for workflow in [one for one in self.workflows.values() if one.domain == domain.name]:
            out.append(Send(domain.name, EndWorkflow(workflow.id, workflow.epoch, "it was given up here")))
            self._placing.free(workflow)
            if workflow.stage is Stage.STOPPING:
                self._forget(workflow, Cancelled("its domain is gone"), out)
            else:
                workflow.given_up = domain.name
                if workflow.component and not workflow.to:
                    workflow.to = (self.workflows[workflow.root].domain,)  # beside the rest, if that can be
                self._placing.park(now, workflow, f"the domain {domain.name} is gone", at=now)
