"""What a federation keeps: where each workflow is, and what its instances have synced or left behind last."""

from math import inf

import msgspec

from attacca.federation.core.events import Command, Erase, Put, Reply, Restored, StoreFailed
from attacca.federation.core.hosted import LEFT, WORKFLOWS, Stage, Workflow
from attacca.model.events import REPLICA
from attacca.model.federation import (
    BeginWorkflow,
    EndWorkflow,
    Left,
    LeftKept,
    StateCopied,
    StateTaken,
    ToDomain,
    WorkflowEnded,
)
from attacca.model.messages import Send

Answer = Send[ToDomain]
AGAIN_S = 1.0  # after the store could not be written


class Keeping:
    def __init__(self, workflows: dict[str, Workflow]) -> None:
        self._workflows = workflows
        self._answers: dict[str, list[Answer | None]] = {}  # by key: what is said when each write is done
        self._ends: dict[str, Answer] = {}  # by workflow: what its domain is told when all that it left there is kept
        self._refused: dict[str, None] = {}  # keys of what was left that the store has refused last
        self._unerased: dict[str, None] = {}  # keys that the store has refused to erase
        self._endless: dict[str, None] = {}  # workflows of which the store has refused to know that they are to end
        self.again_at = inf  # when these are tried again

    def __repr__(self) -> str:
        return f"<Keeping {len(self._answers)} keys being written>"

    def restore(self, event: Restored, out: list[Command]) -> None:
        """What was left by one that is there no more goes."""
        for record in event.records:
            workflow = self._workflows[record.id] = Workflow(record.id, record.spec, record.started_at)
            workflow.domain, workflow.epoch, workflow.why = record.domain, record.epoch, record.why
            workflow.stage = Stage.STARTING if record.domain else Stage.PARKED
            if record.domain and record.ends:
                workflow.stage = Stage.STOPPING
            workflow.given_up = record.lost
        for share in [one for one in self._workflows.values() if one.component]:
            root = self._workflows.get(share.root)
            if root is None:  # it ended first
                del self._workflows[share.id]
                out.append(Erase(share.key))
            else:
                root.away[share.component] = None
        for name, left in event.left:
            known = self._workflows.get(name)
            if known is None:
                out.append(Erase(f"{LEFT}{name}/{left.component}"))
            else:
                known.left[left.component] = left

    def whose(self, key: str) -> Workflow | None:
        for prefix in (WORKFLOWS, LEFT):
            if key.startswith(prefix):
                return self._workflows.get(key.removeprefix(prefix).partition("/")[0])
        return None

    # Where it is.

    def put(self, workflow: Workflow, out: list[Command]) -> None:
        workflow.writes += 1
        out.append(Put(workflow.key, msgspec.json.encode(workflow.record())))

    def stored(self, key: str, out: list[Command]) -> None:
        workflow = self.whose(key)
        if key.startswith(LEFT):
            self._left_written(key, workflow, out, is_kept=True)
        elif workflow is not None:
            workflow.writes -= 1
            if workflow.writes == 0 and workflow.stage is Stage.STARTING:
                self.begin(workflow, out)
            elif workflow.writes == 0 and workflow.stage is Stage.LEAVING and workflow.component:
                self.leave(workflow, out)
            elif workflow.writes == 0 and workflow.stage is Stage.STOPPING:
                out.append(Send(workflow.domain, EndWorkflow(workflow.id, workflow.epoch, "it was asked for")))
            elif workflow.stage is Stage.PARKED and workflow.asked:
                out.append(Reply(workflow.asked, workflow.view()))
                workflow.asked = ""

    def leave(self, workflow: Workflow, out: list[Command]) -> None:
        """It is to end where it is, and go on elsewhere. That it is a share of its own is durable before."""
        if workflow.writes == 0:
            why = f"it moves to {workflow.to[0]}" if workflow.to else "it moves"
            out.append(Send(workflow.domain, EndWorkflow(workflow.id, workflow.epoch, why, hands_over=True)))

    def begin(self, workflow: Workflow, out: list[Command]) -> None:
        """It is told to its domain, as soon as it is durable that it is there."""
        if workflow.writes == 0:
            order = BeginWorkflow(
                workflow.id, workflow.epoch, workflow.spec, workflow.started_at, tuple(workflow.left.values()),
                workflow.components, workflow.given_up,
            )  # fmt: skip
            out.append(Send(workflow.domain, order))

    def failed(self, now: float, event: StoreFailed, out: list[Command]) -> Workflow | None:
        """The answer is a workflow that is nowhere now, as nobody would know later where it is."""
        workflow = self.whose(event.key)
        if event.is_erase:
            self._unerased[event.key] = None
            self.again_at = now + AGAIN_S
            return None
        if event.key.startswith(LEFT):
            self._left_failed(now, event, workflow, out)
            return None
        if workflow is None:
            return None
        workflow.writes -= 1
        if workflow.writes == 0 and workflow.stage is Stage.STOPPING:
            self._endless[workflow.id] = None
            self.again_at = now + AGAIN_S
        is_new = workflow.stage is Stage.STARTING or (workflow.stage is Stage.LEAVING and bool(workflow.component))
        return workflow if is_new and workflow.writes == 0 else None

    def erase(self, workflow: Workflow, out: list[Command]) -> None:
        self._told_of_end(workflow, out)
        out.append(Erase(workflow.key))
        out.extend(Erase(workflow.key_of(name)) for name in workflow.left)

    # What it has left.

    def copied(self, event: StateCopied, out: list[Command]) -> None:
        """Of whoever is not the one any more it is not wanted."""
        workflow = self._workflows.get(event.workflow)
        left = event.left
        answer: Answer = Send(event.domain, StateTaken(event.workflow, left.component, left.version))
        is_current = workflow is not None and (workflow.domain, workflow.epoch) == (event.domain, event.epoch)
        if workflow is None or not is_current or workflow.stage is Stage.STOPPING:
            out.append(answer)
            return
        before = workflow.left.get(left.component)
        waits = before is not None and workflow.stage is Stage.STARTING
        kept = left if before is None or not waits else msgspec.structs.replace(
            left, backlog=before.backlog, unsent=before.unsent, follows=before.follows
        )  # fmt: skip
        self._keep(workflow, kept, answer, out)

    def take(self, workflow: Workflow, event: WorkflowEnded, out: list[Command]) -> None:
        """All that it leaves, which its domain keeps until it is kept here."""
        for left in event.left:
            self._keep(workflow, left, None, out)
        if event.left:
            self._ends[workflow.id] = Send(event.domain, LeftKept(event.workflow, event.epoch))
        else:
            self.answer(event, out)

    def answer(self, event: WorkflowEnded, out: list[Command]) -> None:
        answer: Answer = Send(event.domain, LeftKept(event.workflow, event.epoch))
        if self._ends.get(event.workflow) != answer:  # else it is said when that is so
            out.append(answer)

    def _told_of_end(self, workflow: Workflow, out: list[Command]) -> None:
        answer = self._ends.pop(workflow.id, None)
        if answer is not None:
            out.append(answer)

    def handed_over(self, workflow: Workflow, out: list[Command]) -> None:
        """Events that it was given with its start are its own now: nobody is to have them again."""
        for left in list(workflow.left.values()):
            if left.backlog or left.unsent:
                self._keep(workflow, msgspec.structs.replace(left, backlog=(), unsent=()), None, out)

    def inherit(self, workflow: Workflow, share: Workflow, out: list[Command]) -> None:
        """What the whole has kept of the component is the share's."""
        for name in [name for name in workflow.left if name.partition(REPLICA)[0] == share.component]:
            self._keep(share, workflow.left.pop(name), None, out)
            out.append(Erase(workflow.key_of(name)))

    def _keep(self, workflow: Workflow, left: Left, answer: Answer | None, out: list[Command]) -> None:
        key = workflow.key_of(left.component)
        if key in self._refused:  # this one is newer
            del self._refused[key]
            self._left_written(key, workflow, out, is_kept=False)
        workflow.left[left.component] = left
        workflow.writing[key] = workflow.writing.get(key, 0) + 1
        self._answers.setdefault(key, []).append(answer)
        out.append(Put(key, msgspec.json.encode(left)))

    def ring(self, now: float, out: list[Command]) -> None:
        """What was refused is tried again; not what is nobody's any more, nor to erase what is somebody's by now."""
        if now < self.again_at:
            return
        self.again_at = inf
        out.extend(Erase(key) for key in self._unerased if not self._is_owned(key))
        self._unerased.clear()
        endless, self._endless = self._endless, {}
        for name in endless:
            known = self._workflows.get(name)
            if known is not None and known.stage is Stage.STOPPING:
                self.put(known, out)
        refused, self._refused = self._refused, {}
        for key in refused:
            workflow = self.whose(key)
            left = None if workflow is None else workflow.left.get(key.removeprefix(LEFT).partition("/")[2])
            if left is None:
                self._left_written(key, workflow, out, is_kept=False)
            else:
                out.append(Put(key, msgspec.json.encode(left)))

    def _is_owned(self, key: str) -> bool:
        workflow = self.whose(key)
        return workflow is not None and (
            key == workflow.key or key.removeprefix(LEFT).partition("/")[2] in workflow.left
        )

    def _left_failed(self, now: float, event: StoreFailed, workflow: Workflow | None, out: list[Command]) -> None:
        """It waits until it is kept: whoever has it still is not told before, and nothing begins with it."""
        if workflow is None or len(self._answers[event.key]) > 1:
            self._left_written(event.key, workflow, out, is_kept=False)
            return
        self._refused[event.key] = None
        self.again_at = now + AGAIN_S
        if workflow.stage is Stage.PARKED:
            workflow.why = f"{workflow.lost}; what it left there cannot be kept: {event.error.message}"

    def _left_written(self, key: str, workflow: Workflow | None, out: list[Command], *, is_kept: bool) -> None:
        """Of one that was not kept a newer one is."""
        waiting = self._answers.get(key, [])
        answer = waiting.pop(0)
        if not waiting:
            del self._answers[key]
        if answer is not None and (is_kept or isinstance(answer.message, StateTaken)):
            out.append(answer)
        if workflow is not None:
            count = workflow.writing.pop(key, 0) - 1
            if count > 0:
                workflow.writing[key] = count
            if is_kept and not workflow.writing:
                self._told_of_end(workflow, out)
