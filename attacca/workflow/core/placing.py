"""Where instances begin, when, and who is told where they are.

A part that waits is looked at when its time has come, and never otherwise: what a decision costs goes by what moves.
"""

from collections.abc import Iterable
from math import inf

from attacca.kernel.timers import Timers
from attacca.model.events import Patch, StartInstance
from attacca.model.federation import Located
from attacca.model.messages import Send
from attacca.policy.placement.types import Ask, Near, NoRoom, Placed, Placer
from attacca.workflow.core.books import Books
from attacca.workflow.core.events import Announce, Command
from attacca.workflow.core.graph import Part, Stage, Workflow
from attacca.workflow.core.standby import Standby
from attacca.workflow.core.wills import left_to


def located(part: Part) -> Located:
    workflow = part.workflow
    return Located(
        workflow.root, part.label, workflow.epoch, part.name() if not part.is_there else part.instance, part.worker,
        str(part.stage), not part.is_there, workflow.lost,
    )  # fmt: skip


class Placing:
    def __init__(self, books: Books, placer: Placer) -> None:
        self._books, self._placer = books, placer
        self.due: Timers[Part] = Timers()  # of those that wait
        self.standby = Standby(books)
        self.is_open = True  # False: it is not durable yet which numbers are new
        self.writing: dict[str, None] = {}  # keys of states: who follows begins with what is being written

    def __repr__(self) -> str:
        return f"<Placing {self.due!r}>"

    def among(self) -> None:
        self._placer.among(self._books.nodes.all())

    def wait(self, part: Part) -> None:
        self.due.set(part, part.retry_at)

    @property
    def wakes_at(self) -> float:
        return min(self.due.at, self.standby.wakes_at) if self.is_open else inf

    def place(self, now: float, out: list[Command]) -> None:
        self._place(now, out)
        self.standby.place(now, self._elsewhere, out)

    def _place(self, now: float, out: list[Command]) -> None:
        if self.due.at > now or not self.is_open:
            return
        for part in self.due.pop_due(now):
            workflow = part.workflow
            if part.stage is not Stage.WAITING or not workflow.is_wanted or part.key in self.writing:
                continue
            if workflow.is_learning:
                self.learned(workflow, out)
            if self.standby.take_over(part, out):
                continue
            if self._choose(now, part):
                self.standby.dismiss(part, "a newer one is to stand by", out)
                self._begin(part, out)
            else:
                self.wait(part)

    def _choose(self, now: float, part: Part) -> bool:
        nodes, asked = self._books.nodes, part.asked
        wanted, part.wanted_at = part.wanted_at, ""
        nodes.free(wanted, part.place)
        where = wanted if wanted and not nodes.unready(wanted, part, [asked]) else self._node(now, part)
        if not where:
            return False
        part.number += 1
        part.starts += 1
        part.instance, part.worker, part.stage = part.name(), where, Stage.STARTING
        self._books.parts[part.instance] = part
        nodes.reserve(where, part.instance, asked)
        return True

    def _node(self, now: float, part: Part) -> str:
        """One that has none of its replicas, if there is any. Empty: it is said why."""
        nodes = self._books.nodes
        near = self._near(part)
        answer = self._away_from(now, part, [*nodes.closed(part), *part.refused_by], near)
        if isinstance(answer, NoRoom) and part.refused_by:  # one of them may have by now
            part.refused_by.clear()
            answer = self._away_from(now, part, nodes.closed(part), near)
        if isinstance(answer, NoRoom):
            why = nodes.unfit(part.spec, part.asked)
            part.fail(now, f"{answer.why}: {why}" if why else answer.why)
            return ""
        return answer.worker

    def _away_from(self, now: float, part: Part, avoid: list[str], near: dict[str, Near]) -> Placed | NoRoom:
        """And from its replicas, if that can be."""
        beside = [other.worker for other in part.workflow.replicas[part.spec.name] if other.worker]
        answer = self._ask(now, part, [*avoid, *beside], near) if beside else None
        return self._ask(now, part, avoid, near) if answer is None or isinstance(answer, NoRoom) else answer

    def _elsewhere(self, now: float, part: Part) -> str:
        """For one that stands by."""
        answer = self._ask(now, part, [*self._books.nodes.closed(part), part.worker], {})
        return "" if isinstance(answer, NoRoom) else answer.worker

    def _ask(self, now: float, part: Part, avoid: list[str], near: dict[str, Near]) -> Placed | NoRoom:
        return self._placer.place(now, Ask(part.revision.function, part.asked, near=near, avoid=tuple(avoid)))

    def _near(self, part: Part) -> dict[str, Near]:
        """Nodes on which it is known already, and those with whom it speaks."""
        workflow = part.workflow
        near = {other.worker: Near.TEMPLATE for other in workflow.replicas[part.spec.name] if other.worker}
        for name in workflow.peers(part.spec):
            near.update((other.worker, Near.PEER) for other in workflow.replicas.get(name, ()) if other.worker)
        return near

    def _begin(self, part: Part, out: list[Command]) -> None:
        spec, workflow = part.spec, part.workflow
        payload = None if spec.payload is None else spec.payload.encode()
        left = left_to(part)
        start = StartInstance(
            part.instance, workflow.root, spec.name, part.revision, payload, part.state, part.version,
            self._books.routes(part), left.unheard, workflow.generation, left.unsent,
            follows=left.follows,
        )  # fmt: skip
        out.append(Send(part.worker, start))

    def patch(self, told: list[Part], out: list[Command]) -> None:
        """All routes of those parts that are there."""
        for workflow in {part.workflow.id: part.workflow for part in told}.values():
            workflow.generation += 1
        out.extend(
            Send(part.worker, Patch(part.instance, part.workflow.generation, self._books.routes(part)))
            for part in told
            if part.worker and part.spec.outputs
        )

    def begun(self, workflow: Workflow, out: list[Command]) -> None:
        """All of it is up, for the first time."""
        self.patch(list(workflow.parts.values()), out)
        if workflow.is_scattered:
            self.changed(list(workflow.parts.values()), out)

    def changed(self, parts: list[Part], out: list[Command]) -> None:
        """Of one workflow: those that send to them are told, unless nobody can send anything yet."""
        workflow = parts[0].workflow
        if workflow.is_wanted and not workflow.asked and not workflow.is_learning:
            self.moved(workflow.root, [part.spec.name for part in parts], out)
            self.locate(parts, out)

    def moved(self, root: str, components: list[str], out: list[Command]) -> None:
        """Those that send to them are told, of every share that is up."""
        leading = self._books.leading_to(root, components)
        self.patch([one for one in leading if one.workflow.is_wanted and not one.workflow.is_learning], out)

    def locate(self, parts: Iterable[Part], out: list[Command], domain: str = "") -> None:
        """Other domains are told of those that they may send to. Of what may run still after a restart nothing is told:
        it is older than the number that it would have if it did not."""
        for part in parts:
            workflow = part.workflow
            if workflow.is_scattered and workflow.epoch and not workflow.is_learning:
                out.append(Announce(located(part), domain))

    def learned(self, workflow: Workflow, out: list[Command]) -> None:
        """All that runs of it has been heard of, after a restart: those of another share that send to it, which may
        have been heard of before, are told where that is."""
        workflow.is_learning = False
        leading = self._books.leading_to(workflow.root, list(workflow.replicas)) if workflow.is_scattered else []
        others = [one for one in leading if one.workflow is not workflow]
        self.patch([*workflow.parts.values(), *(one for one in others if one.workflow.is_wanted)], out)
        self.locate(workflow.parts.values(), out)

    def lose(self, now: float, part: Part, why: str) -> None:
        """Its instance is no more; it waits for its next start."""
        self._books.parts.pop(part.instance, None)
        self._books.nodes.free(part.worker, part.instance)
        part.given = ()
        part.instance = part.worker = ""
        part.fail(now, why)
        self.wait(part)
