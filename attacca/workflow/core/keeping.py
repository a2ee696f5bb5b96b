"""What lies in the store: workflows, and the states that their instances wanted to be kept."""

from math import inf

import msgspec

from attacca.model.events import StateKept, StateSynced
from attacca.model.messages import Send
from attacca.workflow.core.books import Books
from attacca.workflow.core.events import Before, Command, Erase, Put, Record, Restored, StateRecord, Stored, StoreFailed
from attacca.workflow.core.graph import Part, Workflow
from attacca.workflow.core.placing import Placing

WORKFLOWS, STATES, NODES = "workflows/", "workflow-states/", "workflow-nodes"
NUMBERS = 1_000_000  # of the starts of one part in one term
AGAIN_S = 1.0  # after the store could not be written
LEARN_S = 20.0  # after a restart, at most, until all nodes that there were have said what they run


class Keeping:
    def __init__(self, books: Books, placing: Placing) -> None:
        self._books, self._placing = books, placing
        self._versions: dict[str, int] = {}  # of what is in the store, by key
        self.expected: dict[str, None] = {}  # nodes that have not said yet what they run
        self._learns_until = 0.0
        self._term = 0
        self.again_at = inf  # when it is written again which nodes there are
        self._syncs: dict[str, list[tuple[Part, StateSynced]]] = {}  # by key: what is written, one after the other

    def __repr__(self) -> str:
        return f"<Keeping {len(self._versions)} keys, {len(self._syncs)} being written>"

    def accept(self, workflow: Workflow, out: list[Command]) -> None:
        record = Record(workflow.id, workflow.spec, workflow.started_at, workflow.epoch)
        out.append(Put(WORKFLOWS + workflow.id, msgspec.json.encode(record), 0))

    def ring(self, now: float, out: list[Command]) -> None:
        if now >= self.again_at:
            self.again_at = inf
            self.remember(out)

    def missed(self, now: float) -> list[str]:
        """Nodes that have not come back in time: they are given up, once."""
        if not self.expected or now < self._learns_until:
            return []
        missing, self.expected = list(self.expected), {}
        return missing

    def remember(self, out: list[Command]) -> None:
        """Whoever begins anew waits for all nodes that there are, and for none that were given up."""
        nodes = self._books.nodes
        before = Before(self._term, tuple(sorted({*nodes.by_name, *self.expected})), tuple(nodes.gone))
        out.append(Put(NODES, msgspec.json.encode(before), 0))

    def heard(self, now: float, node: str) -> None:
        """What it runs is known. With the last of them, all is."""
        if node not in self.expected:
            return
        del self.expected[node]
        if not self.expected:
            for part in self._books.all():
                if part.workflow.is_learning:
                    part.retry_at = now
                    self._placing.wait(part)

    def erase(self, workflow: Workflow, out: list[Command]) -> None:
        keys = [part.key for part in workflow.parts.values()]
        out.extend(Erase(key) for key in keys if self._versions.pop(key, None) or key in self._syncs)
        self._versions.pop(WORKFLOWS + workflow.id, None)
        out.append(Erase(WORKFLOWS + workflow.id))

    def synced(self, event: StateSynced, out: list[Command]) -> None:
        part = self._books.part(event.id, event.worker)
        if part is None:
            out.append(Send(event.worker, StateKept(event.id, event.version, "another has taken its place")))
            return
        record = StateRecord(part.workflow.id, part.label, part.number, event.version, event.state)
        self._syncs.setdefault(part.key, []).append((part, event))
        self._placing.writing[part.key] = None
        out.append(Put(part.key, msgspec.json.encode(record), self._versions.get(part.key, 0)))

    def stored(self, now: float, event: Stored, out: list[Command]) -> None:
        if event.key == NODES:
            self._placing.is_open = True
            return
        self._versions[event.key] = event.version
        if event.key.startswith(WORKFLOWS):
            workflow = self._books.workflows.get(event.key.removeprefix(WORKFLOWS))
            if workflow is not None:
                workflow.is_durable = True
                for part in workflow.parts.values():
                    self._placing.wait(part)
            return
        found = self._written(event.key)
        if found is not None:
            part, told = found
            part.state, part.version = told.state, told.version
            out.append(Send(told.worker, StateKept(told.id, told.version)))

    def failed(self, now: float, event: StoreFailed, out: list[Command]) -> Workflow | None:
        """The answer is a workflow that cannot be kept. Nothing begins until it is known which numbers are new."""
        if event.key == NODES:
            self.again_at = now + AGAIN_S
            return None
        if event.key.startswith(WORKFLOWS):
            return self._books.workflows.pop(event.key.removeprefix(WORKFLOWS), None)
        found = self._written(event.key)
        if found is not None:
            told = found[1]
            out.append(Send(told.worker, StateKept(told.id, told.version, event.error.message)))
        return None

    def _written(self, key: str) -> tuple[Part, StateSynced] | None:
        """The first of those that wait for the store: it answers in their order."""
        waiting = self._syncs.get(key)
        if waiting is None:
            return None
        found = waiting.pop(0)
        if not waiting:
            del self._syncs[key]
            self._placing.writing.pop(key, None)
            self._placing.wait(found[0])  # if it has gone meanwhile
        return found

    def restore(self, now: float, event: Restored, out: list[Command]) -> None:
        """What runs is not made anew: nodes say first what they have. Numbers go on where no term before has been, once
        that is known for good."""
        before = event.before or Before()
        self._term = before.term + 1
        self.expected, self._learns_until = dict.fromkeys(before.nodes), now + LEARN_S
        self._books.nodes.gone.update(dict.fromkeys(before.gone))
        self._placing.is_open = False
        self.remember(out)
        for record, version in event.records:
            workflow = Workflow(record.id, record.spec, record.started_at, now + LEARN_S)
            self._books.workflows[record.id] = workflow
            workflow.is_durable = workflow.is_learning = True
            workflow.epoch = record.epoch
            self._versions[WORKFLOWS + record.id] = version
            for part in workflow.parts.values():
                part.number = self._term * NUMBERS
                self._placing.wait(part)
        for state, version in event.states:
            known = self._books.workflows.get(state.workflow)
            kept = None if known is None else known.parts.get(state.component)
            if kept is not None:
                kept.state, kept.version, kept.number = state.state, state.version, max(kept.number, state.number)
                self._versions[kept.key] = version
