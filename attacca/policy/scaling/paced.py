"""A scaler that looks every so often: what is asked in between is answered as before."""

from math import inf

from attacca.policy.scaling.types import Demand, Scaled


class Paced:
    """`note` takes in what it is told, each time; `look` decides, every `tick_s`, and at once when nothing is wanted
    and somebody waits. As long as nothing is wanted, and nobody is there, nobody looks."""

    __slots__ = ("_look_at", "_said", "_tick_s")

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._look_at = -inf
        self._said = Scaled(0, "nobody has asked")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._said.wanted} wanted>"

    def ask(self, now: float, demand: Demand) -> Scaled:
        is_from_zero = not self._said.wanted and demand.waiting > 0
        self.note(now, demand)
        if now < self._look_at and not is_from_zero:
            return self._said
        wanted, why = self.look(now, demand)
        if wanted or demand.running or demand.waiting or demand.ready or demand.starting:
            self._look_at = now + self._tick_s
            self._said = Scaled(wanted, why, self._look_at)
        else:
            self._look_at = -inf
            self._said = Scaled(0, why, self.wake_at(now))
        return self._said

    def wake_at(self, now: float) -> float | None:
        """When somebody is to look although nothing is wanted and nobody there."""
        return None

    def note(self, now: float, demand: Demand) -> None:
        raise NotImplementedError

    def look(self, now: float, demand: Demand) -> tuple[int, str]:
        raise NotImplementedError
