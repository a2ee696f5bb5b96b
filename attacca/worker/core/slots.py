"""In which sandbox an invocation runs, where several have a free slot.

Of a function with `concurrency` one sandbox could take all that is under way: but Python runs one thread at a time, and
an event loop one task. So they share it, as long as there is a processor for each; others are left idle, and may go.
"""

from typing import Final

from attacca.worker.core.state import RevisionState, Sandbox

FEW: Final = 16  # the newest, which are looked at


def slot(state: RevisionState, cores: int) -> Sandbox:
    """The newest of those in which least runs; one is free at least."""
    free = state.free
    chosen = free[-1]
    least = len(chosen.running)
    if not least or len(free) == 1:
        return chosen
    has_core = state.live - state.starting - state.function.idle < cores
    lowest = 0 if has_core else 1
    for sandbox in reversed(free[-FEW:-1]):
        running = len(sandbox.running)
        if lowest <= running < least:
            chosen, least = sandbox, running
    return chosen


def fill(state: RevisionState, sandbox: Sandbox) -> None:
    """It has no free slot any more."""
    free = state.free
    if free[-1] is sandbox:
        free.pop()
    else:
        free.remove(sandbox)


def lacks(state: RevisionState) -> bool:
    """More pend than starting sandboxes will have slots for."""
    return len(state.pending) > state.starting * state.revision.settings.concurrency
