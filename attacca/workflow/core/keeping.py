"""What lies in the store: workflows, and the states that their instances wanted to be kept."""

from math import inf

import msgspec

from attacca.model.events import StateKept, StateSynced
from attacca.model.federation import Seek
from attacca.model.messages import Send
from attacca.workflow.core.books import Books
from attacca.workflow.core.events import (
    Announce,
    Before,
    Command,
    Erase,
    Erased,
    LeftTaken,
    Put,
    Record,
    Restored,
    StateRecord,
    Stored,
    StoreFailed,
)
from attacca.workflow.core.graph import Part, Stage, Workflow, share_of, whole
from attacca.workflow.core.placing import Placing

WORKFLOWS, STATES, NODES = "workflows/", "workflow-states/", "workflow-nodes"
NUMBERS = 1_000_000  # of the starts of one part in one term
EPOCH_NUMBERS = NUMBERS * 1_000_000  # in one epoch: of two domains that have a part, the later one's number is greater
AGAIN_S = 1.0  # after the store could not be written
LEARN_S = 20.0  # after a restart, at most, until all nodes that there were have said what they run


def components_of(record: Record, shares: set[str]) -> tuple[str, ...]:
    """Of a workflow, those that have no record of their own; none: all."""
    if record.id != whole(record.id):
        return record.components
    named = record.components or tuple(one.name for one in record.spec.components)
    left = tuple(name for name in named if share_of(record.id, name) not in shares)
    return () if len(left) == len(record.spec.components) else left


class Keeping:
    def __init__(self, books: Books, placing: Placing) -> None:
        self._books, self._placing = books, placing
        self._versions: dict[str, int] = {}  # of what is in the store, by key
        self.expected: dict[str, None] = {}  # nodes that have not said yet what they run
        self._learns_until = 0.0
        self._term = 0
        self._recording: dict[str, int] = {}  # keys of workflows that are written, or could not be: how often
        self._unrecorded: dict[str, None] = {}  # of these, those that could not be
        self._has_failed = False  # the write of which nodes there are
        self.again_at = inf  # when it is written again which nodes there are
        self._erasing: dict[str, None] = {}  # keys that are to be gone
        self._unerased: dict[str, None] = {}  # those of them that the store has refused
        self._syncs: dict[
            str, list[tuple[Part, StateSynced | None]]
        ] = {}  # by key: what is written, one after the other
        self._refused: dict[str, None] = {}  # of these keys, those whose only one the store has refused
        self._unkept: dict[str, None] = {}  # keys of states that their parts have, and the store has not yet
        self._inheriting: dict[str, dict[str, None]] = {}  # by workflow: keys of states that are to be kept before it
        self.ended: dict[str, Record] = {}  # by workflow: what was handed over, and is not known to be kept elsewhere

    def __repr__(self) -> str:
        return f"<Keeping {len(self._versions)} keys, {len(self._syncs)} being written>"

    def begin(self, workflow: Workflow, out: list[Command]) -> None:
        """What it has brought along from elsewhere is written before: where it is found later, that is too."""
        states = [part for part in workflow.parts.values() if part.state is not None]
        for part in states:
            self._claim(part.key)
            self._versions.setdefault(part.key, 0)
            self._write(part, out)
        if states:
            self._inheriting[workflow.id] = dict.fromkeys(part.key for part in states)
        else:
            self.accept(workflow, out)

    def accept(self, workflow: Workflow, out: list[Command]) -> None:
        if workflow.id in self._inheriting:
            return  # it is, when that is kept
        self.ended.pop(workflow.id, None)  # whoever has it begin here again has that
        key = WORKFLOWS + workflow.id
        self._claim(key)  # of one before that could not be kept
        for part in workflow.parts.values():
            if part.state is not None:
                self._claim(part.key)
                self._versions.setdefault(part.key, 0)
        self._record(workflow, out)

    def _record(self, workflow: Workflow, out: list[Command]) -> None:
        key, ended = WORKFLOWS + workflow.id, workflow.leaves() if workflow.is_over else None
        of = workflow.components, workflow.lost, workflow.left, ended
        record = Record(workflow.id, workflow.spec, workflow.started_at, workflow.epoch, *of)
        if ended is not None:
            self.ended[workflow.id] = record
        self._recording[key] = self._recording.get(key, 0) + 1
        out.append(Put(key, msgspec.json.encode(record), 0))

    def _claim(self, key: str) -> None:
        """What lies there is somebody's: what one before could not erase is written over."""
        self._erasing.pop(key, None)
        self._unerased.pop(key, None)

    def inherited(self, workflow: Workflow, out: list[Command]) -> None:
        """With the last of what was left to it elsewhere that is kept no more."""
        if workflow.is_wanted and not any(workflow.inherited(part) in part.wills for part in workflow.parts.values()):
            workflow.left = ()
            self.accept(workflow, out)

    def is_recorded(self, workflow: Workflow) -> bool:
        """Of which components it and the whole are is durable."""
        names = (workflow.id, workflow.root)
        return not any(WORKFLOWS + name in self._recording or name in self._inheriting for name in names)

    def ring(self, now: float, out: list[Command]) -> None:
        if now >= self.again_at:
            self.again_at = inf
            if self._has_failed:
                self._has_failed = False
                self.remember(out)
            unrecorded, self._unrecorded = self._unrecorded, {}
            for key in unrecorded:
                self._recording.pop(key, None)
                known = self._books.workflows.get(key.removeprefix(WORKFLOWS))
                if known is not None and known.is_over and known.hands_over:
                    self._record(known, out)
                elif known is not None and not known.is_over:
                    self.accept(known, out)
            out.extend(Erase(key) for key in self._unerased)
            self._unerased.clear()
            self._write_again(out)

    def _write_again(self, out: list[Command]) -> None:
        refused, self._refused = self._refused, {}
        for key in refused:
            part, told = self._syncs[key][0]
            if told is not None:
                out.append(_put(part, told.version, told.state))
        for key in self._unkept:
            kept = self._books.in_place(key.removeprefix(STATES).replace("/", ".", 1))
            if kept is not None and key not in self._syncs:
                self._write(kept, out)

    def _write(self, part: Part, out: list[Command]) -> None:
        """The state that it has."""
        if part.state is not None:
            self._syncs.setdefault(part.key, []).append((part, None))
            out.append(_put(part, part.version, part.state))

    def missed(self, now: float, out: list[Command]) -> list[str]:
        """Nodes that have not come back in time: they are given up, once."""
        if not self.expected or now < self._learns_until:
            return []
        missing, self.expected = list(self.expected), {}
        self._placing.standby.is_open = True
        for name in missing:
            self._books.nodes.miss(name)
        self.remember(out)
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
            self._placing.standby.is_open = True
            for part in self._books.all():
                if part.workflow.is_learning:
                    part.retry_at = now
                    self._placing.wait(part)

    def end(self, workflow: Workflow, out: list[Command]) -> None:
        """Nobody is told that it is over before it could not come back; if it does, it has its states still. What it
        leaves, where it is handed over, lies in its place until that is kept elsewhere."""
        self._inheriting.pop(workflow.id, None)
        if workflow.hands_over:
            self._record(workflow, out)
            return
        self._versions.pop(WORKFLOWS + workflow.id, None)
        self._erase(WORKFLOWS + workflow.id, out)

    def taken(self, event: LeftTaken, out: list[Command]) -> None:
        ended = self.ended.get(event.workflow)
        if ended is not None and ended.epoch == event.epoch and event.workflow not in self._books.workflows:
            del self.ended[event.workflow]
            self._erase(WORKFLOWS + event.workflow, out)

    def _erase(self, key: str, out: list[Command]) -> None:
        self._erasing[key] = None
        out.append(Erase(key))

    def erased(self, event: Erased, out: list[Command]) -> Workflow | None:
        """The answer is a workflow that is over, and cannot come back."""
        self._erasing.pop(event.key, None)
        self._versions.pop(event.key, None)
        known = self._books.workflows.get(event.key.removeprefix(WORKFLOWS))
        if known is None or not known.is_over or not event.key.startswith(WORKFLOWS):
            return None
        self._erase_states(known, out)
        return known

    def _erase_states(self, workflow: Workflow, out: list[Command]) -> None:
        """Also those that are on their way there."""
        for key in [part.key for part in workflow.parts.values()]:
            if self._refused.pop(key, "") is None:
                self._written(key)
            if key in self._versions or key in self._syncs or key in self._unkept:
                self._versions.pop(key, None)
                self._unkept.pop(key, None)
                self._erase(key, out)

    def synced(self, event: StateSynced, out: list[Command]) -> None:
        part = self._books.part(event.id, event.worker)
        if part is None:
            out.append(Send(event.worker, StateKept(event.id, event.version, "another has taken its place")))
            return
        if part.key in self._refused:  # this one is newer
            del self._refused[part.key]
            _, before = self._syncs[part.key].pop(0)
            if before is not None:
                out.append(Send(before.worker, StateKept(before.id, before.version, "a newer one is to be kept")))
        self._syncs.setdefault(part.key, []).append((part, event))
        self._placing.writing[part.key] = None
        self._claim(part.key)
        out.append(_put(part, event.version, event.state))

    def stored(self, now: float, event: Stored, out: list[Command]) -> Workflow | None:
        """The answer is a workflow that is over, and what it leaves is kept."""
        if event.key == NODES:
            self._placing.is_open = True
            return None
        self._versions[event.key] = event.version
        if event.key.startswith(WORKFLOWS):
            self._recorded(event.key)
            workflow = self._books.workflows.get(event.key.removeprefix(WORKFLOWS))
            if workflow is not None and workflow.is_over and workflow.hands_over:
                return self._left(workflow, out)
            if workflow is not None and not workflow.is_durable:
                workflow.is_durable = True
                for part in workflow.parts.values():
                    self._placing.wait(part)
            return None
        found = self._written(event.key)
        if found is None:
            return None
        self._unkept.pop(event.key, None)
        part, told = found
        if told is None:
            self._inherit(event.key, out)
        else:
            part.state, part.version = told.state, told.version
            out.append(Send(told.worker, StateKept(told.id, told.version)))
        return None

    def _left(self, workflow: Workflow, out: list[Command]) -> Workflow | None:
        """If that was the last write of it, and nothing has come meanwhile that it leaves too."""
        if WORKFLOWS + workflow.id in self._recording:
            return None
        if self.ended[workflow.id].ended != workflow.leaves():
            self._record(workflow, out)
            return None
        self._erase_states(workflow, out)
        return workflow

    def _inherit(self, key: str, out: list[Command]) -> None:
        """What a workflow has brought along is kept; with the last of it the workflow can be."""
        for name in [name for name, keys in self._inheriting.items() if key in keys]:
            self._inheriting[name].pop(key)
            if not self._inheriting[name]:
                del self._inheriting[name]
                self.accept(self._books.workflows[name], out)

    def failed(self, now: float, event: StoreFailed, out: list[Command]) -> Workflow | None:
        """The answer is a workflow that cannot be kept. Nothing begins until it is known which numbers are new."""
        if event.key == NODES:
            self._has_failed = True
            self.again_at = now + AGAIN_S
            return None
        if event.is_erase:
            if event.key in self._erasing:  # and nobody has written there since
                self._unerased[event.key] = None
                self.again_at = now + AGAIN_S
            return None
        if event.key.startswith(WORKFLOWS) and event.key in self._erasing:
            self._recorded(event.key)
            return None
        if event.key.startswith(WORKFLOWS):
            known = self._books.workflows.get(event.key.removeprefix(WORKFLOWS))
            is_left = known is not None and known.is_over and known.hands_over
            if known is None or not (known.is_durable or is_left):
                self._recorded(event.key)
                if known is None:
                    return None
                self._erase(event.key, out)  # it may have been written all the same
                self._erase_states(known, out)
                return self._books.workflows.pop(known.id)
            self._unrecorded[event.key] = None
            self.again_at = now + AGAIN_S
            return None
        return self._state_failed(now, event, out)

    def _state_failed(self, now: float, event: StoreFailed, out: list[Command]) -> Workflow | None:
        """Whoever goes on hears of it. Of one that ends, or has ended, it is tried again: who follows it begins with
        that."""
        key = event.key
        if key not in self._syncs:
            return None
        if key in self._unkept:
            self.again_at = now + AGAIN_S
        part, told = self._syncs[key][0]
        if told is None:
            self._written(key)
            return self._not_inherited(key, out)
        is_last, is_there = len(self._syncs[key]) == 1, self._books.part(told.id, told.worker) is part
        if is_last and is_there and (part.stage is Stage.MOVING or part.workflow.hands_over):
            part.why = f"its state cannot be kept: {event.error.message}"
            self._refused[key] = None
            self.again_at = now + AGAIN_S
            return None
        self._written(key)
        if is_last and not is_there and (part.workflow.hands_over or part.workflow.is_wanted):
            part.state, part.version = told.state, told.version
            self._unkept[key] = None
            self.again_at = now + AGAIN_S
        out.append(Send(told.worker, StateKept(told.id, told.version, event.error.message)))
        return None

    def _not_inherited(self, key: str, out: list[Command]) -> Workflow | None:
        """A workflow that has brought that along cannot be kept without."""
        for name in [name for name, keys in self._inheriting.items() if key in keys]:
            del self._inheriting[name]
            known = self._books.workflows.pop(name)
            self._erase_states(known, out)
            return known
        return None

    def _recorded(self, key: str) -> None:
        left = self._recording.pop(key, 1) - 1
        if left:
            self._recording[key] = left

    def _written(self, key: str) -> tuple[Part, StateSynced | None] | None:
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
        self._placing.is_open, self._placing.standby.is_open = False, not self.expected
        self.remember(out)
        shares = {record.id for record, _ in event.records}
        for record, version in event.records:
            if record.ended is not None:
                self.ended[record.id] = record
                continue
            workflow = Workflow(record.id, record.spec, record.started_at, now + LEARN_S, components_of(record, shares))
            self._books.workflows[record.id] = workflow
            workflow.is_durable = workflow.is_learning = True
            workflow.epoch, workflow.lost = record.epoch, record.lost
            workflow.inherit(record.left)
            if workflow.is_scattered:
                out.append(Announce(Seek(workflow.root)))
            self._versions[WORKFLOWS + record.id] = version
            for part in workflow.parts.values():
                part.number = record.epoch * EPOCH_NUMBERS + self._term * NUMBERS
                self._placing.wait(part)
        for state, version in event.states:
            kept = self._books.in_place(f"{state.workflow}.{state.component}")
            if kept is not None:
                kept.state, kept.version, kept.number = state.state, state.version, max(kept.number, state.number)
                self._versions[kept.key] = version
            else:  # whoever stopped it ended before this was erased too
                self._erase(f"{STATES}{state.workflow}/{state.component}", out)


def _put(part: Part, version: int, state: bytes) -> Put:
    record = StateRecord(part.workflow.root, part.label, part.number, version, state)
    return Put(part.key, msgspec.json.encode(record), 0)
