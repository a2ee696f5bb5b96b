"""Why an invocation had its turn when it had it, in words and in milliseconds, for those who look at it afterwards."""

from attacca.model.invocation import Timing, timed
from attacca.worker.core.phases import WaitedFor
from attacca.worker.core.reports import SandboxReady
from attacca.worker.core.state import QueuedInvocation, RevisionState, Sandbox

ABOVE_LIMIT = "its function runs short enough to pass the limit"
OLD_REVISION = "its revision is not current any more: before the queue"
TAKEN_BACK = "what ran before it in its sandbox took too long: before the queue"
START_FAILED = "the sandbox it waited for did not start: before the queue"


def turn(item: QueuedInvocation, limit: int, limit_why: str) -> str:
    """Of one that has waited: the queue's reason, what it waited for, and behind how many."""
    behind = f" behind {item.behind}" if item.behind else ""
    match item.held:
        case WaitedFor.SLOT:
            return f"{item.turn}; waited{behind} for one of {limit} slots ({limit_why})"
        case WaitedFor.SANDBOX:
            return f"{item.turn}; waited{behind} for a sandbox: its function has all that it may have"
        case WaitedFor.ROOM:
            return f"{item.turn}; waited{behind} for room for its sandbox"


def waited(now: float, item: QueuedInvocation, sandbox: Sandbox, ready: SandboxReady) -> Timing:
    """Who came when the start was under way has waited for its end only: its times are cut from the front."""
    queued = (item.popped - item.arrived) * 1000
    if item.popped <= sandbox.made_at:
        return timed(ready.made, queued)
    return timed(ready.made.within((now - item.popped) * 1000), queued)


def start(state: RevisionState, now: float, *, templates: bool) -> str:
    """Why a sandbox has to be started for someone who waits."""
    ready = state.live - state.starting
    if ready:
        why = f"all {ready} busy" if ready > 1 else "the only one is busy"
    elif state.starting:
        why = f"all {state.starting} starting" if state.starting > 1 else "the only one is starting"
    elif state.loss is not None:
        why = state.loss.tell(now)
    else:
        return "first of this revision"
    if state.ready_template is not None:
        return why
    if not templates:
        return f"{why}; templates are off"
    return f"{why}; {'template is being made' if state.template is not None else state.no_template_reason}"
