"""What is remembered of an outcome, and what a full queue says."""

import math

from attacca.errors import AttaccaError, QueueFull
from attacca.gateway.core.inflight import Function, Inflight
from attacca.model.invocation import Failed, FunctionError, Ok, Outcome

RETRY_AFTER_MOST_S = 3600
WHY_MOST = 500  # characters of an error's message that are remembered


def blame(taken: Inflight, outcome: Outcome) -> None:
    match outcome:
        case Failed(code=code, message=why):
            pass
        case FunctionError(type=kind, message=message):
            code, why = "function_error", f"{kind}: {message}"
        case Ok():
            return
    taken.outcome = code
    taken.why = (taken.lost + why)[:WHY_MOST]
    taken.status = STATUS.get(code, 500)
    taken.function.statistics.failed(code)


def queue_full(function: Function) -> QueueFull:
    """Those who wait need about their mean execution each, on as many sandboxes as run now."""
    exec_s = function.statistics.exec_s
    estimate_s = function.waiting * exec_s / max(function.running, 1)
    retry_after_s = max(math.ceil(estimate_s), 1) if estimate_s < RETRY_AFTER_MOST_S else RETRY_AFTER_MOST_S
    who = "1 invocation" if function.waiting == 1 else f"{function.waiting} invocations"
    return QueueFull(
        f"{who} of {function.name!r} {'waits' if function.waiting == 1 else 'wait'} already, "
        "as many as its setting queue allows",
        f"come back in {retry_after_s} s, or raise queue in its function.toml",
        retry_after_s,
    )


def _statuses(kind: type[AttaccaError]) -> dict[str, int]:
    found = {}
    for child in kind.__subclasses__():
        found[child.code] = child.status
        found.update(_statuses(child))
    return found


STATUS = _statuses(AttaccaError)  # of every error, by its code
