"""In which domain a workflow begins, and when. One that no domain can have is parked, and looked at again when a domain
comes or has room, and with growing pauses."""

from attacca.federation.core.events import Command
from attacca.federation.core.fitting import unfit
from attacca.federation.core.hosted import FIRST_S, LAST_S, Domain, Stage, Workflow
from attacca.federation.core.keeping import Keeping
from attacca.kernel.timers import Timers
from attacca.policy.placement.types import Ask, NoRoom, Placer


class Placing:
    def __init__(
        self, workflows: dict[str, Workflow], domains: dict[str, Domain], placer: Placer, keeping: Keeping
    ) -> None:
        self._workflows, self._domains, self._placer, self._keeping = workflows, domains, placer, keeping
        self.due: Timers[Workflow] = Timers()  # parked ones

    def __repr__(self) -> str:
        return f"<Placing {self.due!r}>"

    def among(self) -> None:
        self._placer.among([one for one in self._domains.values() if one.is_here and not one.is_dead])

    def wait(self, workflow: Workflow, at: float) -> None:
        workflow.retry_at = at
        self.due.set(workflow, at)

    def park(self, now: float, workflow: Workflow, lost: str, at: float | None = None) -> None:
        """It is nowhere, for that reason, and looked at again at that time, or after a pause."""
        workflow.stage, workflow.domain, workflow.why, workflow.rows = Stage.PARKED, "", lost, ()
        workflow.lost = lost
        if at is None:
            at = now + min(FIRST_S * 2**workflow.failures, LAST_S)
            workflow.failures += 1
        self.wait(workflow, at)

    def look_again(self, now: float) -> None:
        """There may be room now."""
        for workflow in self._workflows.values():
            if workflow.stage is Stage.PARKED:
                workflow.refused.clear()
                self.wait(workflow, now)

    def free(self, workflow: Workflow) -> None:
        domain = self._domains.get(workflow.domain)
        if domain is not None:
            domain.ordered.pop(workflow.id, None)

    def unready(self, workflow: Workflow, name: str) -> str:
        """Why that domain cannot have it now; empty: it can."""
        domain = self._domains[name]
        if not domain.is_here or domain.is_dead:
            return "it is away"
        why = workflow.refused.get(name) or unfit(domain.summary, workflow.own)
        if not why and not (domain.reserved + workflow.needs).fits(domain.capacity):
            return f"{workflow.needs.memory_mb} MB are not free there"
        return why

    def place(self, now: float, out: list[Command]) -> None:
        if self.due.at > now:
            return
        for workflow in self.due.pop_due(now):
            if self._workflows.get(workflow.id) is not workflow or workflow.stage is not Stage.PARKED:
                continue
            if workflow.writing:
                continue  # what it left is to be kept first
            self._place(now, workflow, out)

    def _place(self, now: float, workflow: Workflow, out: list[Command]) -> None:
        whys = {name: self.unready(workflow, name) for name in self._domains}
        wanted = next((name for name in workflow.to if not whys.get(name, "it is away")), "")
        chosen, why = wanted, "it was asked for"
        if not wanted:
            avoid = tuple(name for name, why in whys.items() if why)
            answer = self._placer.place(now, Ask(workflow.spec.name, workflow.needs, avoid=avoid))
            if isinstance(answer, NoRoom):
                self._stay(now, workflow, whys, out)
                return
            chosen, why = answer.worker, answer.why
        workflow.why = _joined(workflow.lost, f"{chosen}: {why}")
        workflow.domain, workflow.stage = chosen, Stage.STARTING
        workflow.epoch += 1
        self._domains[chosen].ordered[workflow.id] = workflow.needs
        self._keeping.put(workflow, out)

    def _stay(self, now: float, workflow: Workflow, whys: dict[str, str], out: list[Command]) -> None:
        told = "; ".join(f"{name}: {why}" for name, why in whys.items() if why)
        workflow.refused.clear()
        self.park(now, workflow, workflow.lost)
        workflow.why = _joined(workflow.lost, f"no domain can have it: {told or 'none has joined'}")
        if workflow.asked:
            self._keeping.put(workflow, out)  # once that is durable, it is accepted


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))
