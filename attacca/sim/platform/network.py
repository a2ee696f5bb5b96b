"""The channel between the gateway and one worker, each way: delay, jitter, loss, partition; first sent, first there.

Where nothing is delayed a message is handed over in the same moment, without an event of its own.
"""

from collections.abc import Callable
from typing import Any

from attacca.load.workload.scenario import Hardware
from attacca.sim.engine import Engine
from attacca.sim.platform.draws import Draws, Duration

Deliver = Callable[[Any], None]


class Channel:
    """One way. `lost` counts what did not come."""

    __slots__ = (
        "_chance",
        "_delay",
        "_deliver",
        "_engine",
        "_free_at",
        "_loss",
        "cuts",
        "is_quick",
        "late_next_s",
        "lose_next",
        "lost",
    )  # fmt: skip

    def __init__(self, engine: Engine, hardware: Hardware, seed: int, name: str, deliver: Deliver) -> None:
        self._engine = engine
        self._delay = Duration(hardware.network, seed, f"network/{name}")
        self._loss = hardware.network_loss
        self._chance = Draws(seed, f"loss/{name}")
        self._deliver = deliver
        self._free_at = 0.0  # when the last one is there: none overtakes it
        self.cuts = 0  # partitions that it lies in
        self.lose_next = 0
        self.late_next_s = 0.0
        self.lost = 0
        self.is_quick = False
        self.look()

    def __repr__(self) -> str:
        return f"<Channel {'quick' if self.is_quick else 'slow'}, {self.cuts} cuts, {self.lost} lost>"

    def look(self) -> None:
        """Something was changed: is there still anything on the way that could hold a message up?"""
        is_instant = self._delay.constant_s == 0.0 and not self._loss
        is_clear = not (self.cuts or self.lose_next or self.late_next_s)
        self.is_quick = is_instant and is_clear and self._free_at <= self._engine.now

    def follow(self, before: "Channel") -> None:
        """In its place: what was lost there is counted, and what cuts it goes on; what is under way there stays."""
        self.cuts, self.lost = before.cuts, before.lost
        self.look()

    def send(self, message: object, number: int) -> None:
        """`number`: of its draws, so that an invocation's messages take as long wherever they stand in the order."""
        if self.is_quick:
            self._deliver(message)
            return
        if self.cuts or self.lose_next or (self._loss and self._chance.at(number) < self._loss):
            self.lose_next = max(0, self.lose_next - (0 if self.cuts else 1))
            self.lost += 1
            self.look()
            return
        now = self._engine.now
        at = max(self._free_at, now + self._delay.at(number) + self.late_next_s)
        self.late_next_s = 0.0
        self._free_at = at
        self._engine.at(at, self._arrive, message)

    def _arrive(self, message: object) -> None:
        self.look()
        self._deliver(message)
