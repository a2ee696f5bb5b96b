"""What a worker remembers of one function: when it is called, how it is started, how long it takes."""

from typing import Final

from attacca.kernel.window import Measure
from attacca.model.invocation import Start
from attacca.model.sandbox import FunctionView, Summary

SHARES = (0.5, 0.95, 0.99)

# Looking a member of an enumeration up costs ten times a name, and this is the road of every invocation.
COLD: Final = Start.COLD
TEMPLATE: Final = Start.TEMPLATE
PREWARMED: Final = Start.PREWARMED
WARM: Final = Start.WARM


class Statistics:
    """Seconds throughout. `cold_s` and `template_s` run from the order for the sandbox to the answer, `warm_s` and
    `prewarmed_s` from the hand-over to the answer, `made_s` from the order for a sandbox until it is ready."""

    __slots__ = (
        "_arrived_at",
        "_told",
        "cold_s",
        "errors",
        "exec_s",
        "gap_s",
        "invocations",
        "lost",
        "made_s",
        "prewarmed_s",
        "template_s",
        "warm_s",
    )

    def __init__(self) -> None:
        self._arrived_at: float | None = None
        self._told: FunctionView | None = None  # last, and again while it is as it was: percentiles take a while
        self.invocations = 0
        self.errors = 0
        self.lost = dict.fromkeys(Start, 0)  # by how they started: those that did not come to their end
        self.gap_s = Measure()
        self.exec_s = Measure()
        self.cold_s = Measure()
        self.template_s = Measure()
        self.prewarmed_s = Measure()
        self.warm_s = Measure()
        self.made_s = Measure()

    def __repr__(self) -> str:
        return f"<Statistics of {self.invocations}: {self.exec_s.count} ran, {self.errors} errors>"

    def arrived(self, now: float) -> None:
        self.invocations += 1
        if self._arrived_at is not None:
            self.gap_s.add(now - self._arrived_at)
        self._arrived_at = now

    def ran(self, start: Start, exec_s: float, whole_s: float) -> None:
        self.exec_s.add(exec_s)
        if start is WARM:
            self.warm_s.add(whole_s)
        elif start is TEMPLATE:
            self.template_s.add(whole_s)
        elif start is COLD:
            self.cold_s.add(whole_s)
        else:
            self.prewarmed_s.add(whole_s)

    def view(
        self, function: str, *, queued: int, running: int, idle: int, templates: int, kept: int = 0
    ) -> FunctionView:
        told = self._told
        self._told = FunctionView(
            function=function,
            invocations=self.invocations,
            cold=self.cold_s.count + self.lost[COLD],
            template=self.template_s.count + self.lost[TEMPLATE],
            prewarmed=self.prewarmed_s.count + self.lost[PREWARMED],
            warm=self.warm_s.count + self.lost[WARM],
            errors=self.errors,
            gap_s=_summary(self.gap_s, 1, None if told is None else told.gap_s),
            exec_ms=_summary(self.exec_s, 1000, None if told is None else told.exec_ms),
            cold_ms=_summary(self.cold_s, 1000, None if told is None else told.cold_ms),
            warm_ms=_summary(self.warm_s, 1000, None if told is None else told.warm_ms),
            queued=queued,
            running=running,
            idle=idle,
            templates=templates,
            kept=kept,
        )
        return self._told


def _summary(measure: Measure, per: float, told: Summary | None) -> Summary:
    """`told`: the last one, which holds as long as no more was measured."""
    if told is not None and told.count == measure.count:
        return told
    p50, p95, p99 = measure.percentiles(SHARES)
    return Summary(
        count=measure.count,
        mean=measure.mean * per,
        ewma=measure.ewma * per,
        p50=p50 * per,
        p95=p95 * per,
        p99=p99 * per,
        max=measure.max * per,
    )
