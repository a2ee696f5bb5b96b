"""Where instances begin, when, and who is told where they are.

A part that waits is looked at when its time has come, and never otherwise: what a decision costs goes by what moves.
"""

from attacca.kernel.timers import Timers
from attacca.model.events import Event as Sent
from attacca.model.events import Patch, StartInstance
from attacca.model.messages import Send
from attacca.policy.placement.types import Ask, NoRoom, Placer
from attacca.workflow.core.books import Books
from attacca.workflow.core.events import Command
from attacca.workflow.core.graph import Part, Stage, Workflow


class Placing:
    def __init__(self, books: Books, placer: Placer) -> None:
        self._books, self._placer = books, placer
        self.due: Timers[Part] = Timers()  # of those that wait
        self.writing: dict[str, None] = {}  # keys of states: who follows begins with what is being written

    def __repr__(self) -> str:
        return f"<Placing {self.due!r}>"

    def among(self) -> None:
        self._placer.among(self._books.nodes.all())

    def wait(self, part: Part) -> None:
        self.due.set(part, part.retry_at)

    def place(self, now: float, out: list[Command]) -> None:
        if self.due.at > now:
            return
        for part in self.due.pop_due(now):
            workflow = part.workflow
            if part.stage is not Stage.WAITING or not workflow.is_wanted or part.key in self.writing:
                continue
            if workflow.is_learning:
                self.learned(workflow, out)
            if self._choose(now, part):
                self._begin(part, out)
            else:
                self.wait(part)

    def _choose(self, now: float, part: Part) -> bool:
        nodes, asked = self._books.nodes, part.revision.settings.resources
        wanted, part.wanted_at = part.wanted_at, ""
        nodes.free(wanted, part.place)
        if wanted and not nodes.unready(wanted, part.spec, [asked]):
            where = wanted
        else:
            answer = self._placer.place(
                now, Ask(part.revision.function, asked, avoid=tuple(nodes.unfit_names(part.spec)))
            )
            if isinstance(answer, NoRoom):
                part.fail(now, answer.why)
                return False
            where = answer.worker
        part.number += 1
        part.starts += 1
        part.instance, part.worker, part.stage = part.name(), where, Stage.STARTING
        self._books.parts[part.instance] = part
        nodes.reserve(where, part.instance, asked)
        return True

    def _begin(self, part: Part, out: list[Command]) -> None:
        spec, workflow = part.spec, part.workflow
        payload = None if spec.payload is None else spec.payload.encode()
        start = StartInstance(
            part.instance, workflow.id, spec.name, part.revision, payload, part.state, part.version,
            workflow.routes(part, self._books.nodes.address), tuple(part.backlog), workflow.generation,
            tuple(part.unsent),
        )  # fmt: skip
        part.backlog.clear()
        part.unsent.clear()
        out.append(Send(part.worker, start))

    def patch(self, workflow: Workflow, told: list[Part], out: list[Command]) -> None:
        """All routes of those parts that are there."""
        workflow.generation += 1
        for part in told:
            if part.worker and part.spec.outputs:
                routes = workflow.routes(part, self._books.nodes.address)
                out.append(Send(part.worker, Patch(part.instance, workflow.generation, routes)))

    def changed(self, parts: list[Part], out: list[Command]) -> None:
        """Of one workflow: those that send to them are told, unless nobody can send anything yet."""
        workflow = parts[0].workflow
        if workflow.is_wanted and not workflow.asked and not workflow.is_learning:
            self.patch(workflow, workflow.leading_to(parts), out)

    def learned(self, workflow: Workflow, out: list[Command]) -> None:
        """All that runs of it has been heard of, after a restart."""
        workflow.is_learning = False
        self.patch(workflow, list(workflow.parts.values()), out)

    def lose(
        self, now: float, part: Part, why: str, unheard: tuple[Sent, ...] = (), unsent: tuple[Sent, ...] = ()
    ) -> None:
        """Its instance is no more; it waits for its next start."""
        self._books.parts.pop(part.instance, None)
        self._books.nodes.free(part.worker, part.instance)
        part.backlog.extend(unheard)
        part.unsent.extend(unsent)
        part.instance = part.worker = ""
        part.fail(now, why)
        self.wait(part)
