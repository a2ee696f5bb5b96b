"""Instances that end at once, because others have their places or may have: as if this worker had died.

Control says so when it has given this worker up and hears of it again. Until then it is this worker that has to take
itself for one that was given up: when it has heard of no control for too long, or another worker refuses what it sends.
"""

from collections.abc import Callable

from attacca.model.events import Refused
from attacca.worker.core.events import Command, Warn
from attacca.worker.core.exchange import Exchange
from attacca.worker.core.mailboxes import LEAVING, EventInstance, Stage
from attacca.worker.core.timers import Timer, Timers

CONTROL = "control"  # a peer's name
REFUSED = "another worker says that this one was given up"
End = Callable[[float, EventInstance, list[Command]], None]


class Replacing:
    """`kill` ends one that has a sandbox, and `forget` one that has none."""

    def __init__(
        self,
        seconds: float,
        timers: Timers,
        by_id: dict[str, EventInstance],
        exchange: Exchange,
        kill: End,
        forget: End,
    ) -> None:
        """`seconds`: how long they go on without a control; 0: for as long as it takes."""
        self._seconds, self._timers, self._by_id, self._exchange = seconds, timers, by_id, exchange
        self._kill, self._forget = kill, forget
        self.is_led = False  # a control is there

    def __repr__(self) -> str:
        return f"<Replacing after {self._seconds:g} s, {'led' if self.is_led else 'alone'}>"

    def join(self, peer: str) -> None:
        if peer == CONTROL:
            self.is_led = True
            self._timers.clear((Timer.CUT_OFF, ""))

    def lose(self, now: float, peer: str) -> None:
        if peer == CONTROL:
            self.is_led = False
            if self._seconds:
                self._timers.set((Timer.CUT_OFF, ""), now + self._seconds)

    def refused(self, now: float, message: Refused, out: list[Command]) -> None:
        """Where there is a control, that knows better."""
        if message.is_given_up and not self.is_led:
            self._cut_off(now, REFUSED, out)

    def ring(self, now: float, out: list[Command]) -> None:
        self._cut_off(now, f"no control was heard of for {self._seconds:g} s", out)

    def _cut_off(self, now: float, why: str, out: list[Command]) -> None:
        instances = list(self._by_id.values())
        if instances:
            out.append(Warn(f"{why}: {len(instances)} instances of workflows end, and others may have their places"))
        for instance in instances:
            self.end(now, instance, why, out)

    def end(self, now: float, instance: EventInstance, why: str, out: list[Command]) -> None:
        """Without its `stop`; and what it has sent is not said again."""
        if instance.is_replaced:
            return
        instance.is_replaced, instance.why = True, instance.why or why
        self._exchange.neighbours.forget(instance.id)
        if instance.stage is Stage.WAITING:
            self._forget(now, instance, out)
        elif instance.stage is Stage.STOPPING or instance.stage not in LEAVING:
            self._kill(now, instance, out)
