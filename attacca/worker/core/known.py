"""What a queueing policy is told of an invocation that comes to wait: as much as is known of its function then."""

from attacca.policy.queueing.types import Waiting
from attacca.worker.core.state import QueuedInvocation


def waiting(now: float, item: QueuedInvocation) -> Waiting:
    state = item.state
    known = state.function.statistics
    if state.template is None:
        cold = known.cold_s if known.cold_s.count else known.template_s
    else:
        cold = known.template_s if known.template_s.count else known.cold_s
    idle = ""
    if state.free:
        idle = "warm" if state.free[-1].served else "prewarmed"
    return Waiting(
        item.id,
        state.function.name,
        now,
        known.exec_s.ewma,
        known.warm_s.ewma,
        known.prewarmed_s.ewma,
        cold.ewma,
        known.gap_s.ewma,
        idle,
        state.running,
    )
