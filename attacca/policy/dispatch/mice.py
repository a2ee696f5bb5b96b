"""Whoever has less to do picks first, and takes what is small enough for it."""

from typing import Annotated, Final

import msgspec

from attacca.kernel.chance import Chance
from attacca.model.accelerators import Compute
from attacca.policy.dispatch.types import CPU, GPU, Asked, Chosen

LEAST_S: Final = 1e-6  # of time that has passed, for a rate


class Mice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sequential dispatching (Hyytiä and Righter, as Ilúvatar's `MICE` describes it): of processors and devices those
    with the earlier expected answer are asked first, and take an invocation whose mean execution there is at most
    their threshold; else the others have it. After each `every` decisions the threshold of processors goes up by
    `step_s` where they were given less than `load` seconds of work a second for each of their slots, and down
    otherwise; that of devices stays.

    Ilúvatar's is a stub that moves the threshold, and has everything run on processors. Its load is of all slots
    together, 100; here it is of each.
    """

    threshold_s: Annotated[float, msgspec.Meta(ge=0)] = 10.0  # of processors, at first
    device_threshold_s: Annotated[float, msgspec.Meta(ge=0)] = 9999.0
    every: Annotated[int, msgspec.Meta(ge=1)] = 10
    step_s: Annotated[float, msgspec.Meta(ge=0)] = 0.01
    load: Annotated[float, msgspec.Meta(gt=0)] = 0.9

    def fresh(self, chance: Chance) -> "Thresholds":
        return Thresholds(self)


class Thresholds:
    def __init__(self, policy: Mice) -> None:
        self._policy = policy
        self._threshold_s = policy.threshold_s
        self._given_s = 0.0  # to processors, since the last look
        self._decided = 0
        self._since: float | None = None

    def __repr__(self) -> str:
        return f"<Thresholds {self._threshold_s:g} s of processors, {self._given_s:g} s given>"

    def choose(self, now: float, asked: Asked) -> Chosen:
        if self._since is None:
            self._since = now
        chosen = self._pick(asked)
        if chosen.on == CPU:
            self._given_s += asked.cpu.exec_s
        self._decided += 1
        if self._decided >= self._policy.every:
            self._adjust(now - self._since, asked.cpu.slots)
            self._since, self._given_s, self._decided = now, 0.0, 0
        return chosen

    def ended(self, now: float, function: str, compute: Compute, exec_s: float, total_s: float) -> None:
        """It goes by what was given."""

    def _pick(self, asked: Asked) -> Chosen:
        cpu, gpu = asked.cpu, asked.gpu
        if cpu.expected_s < gpu.expected_s:
            if cpu.exec_s <= self._threshold_s:
                return Chosen(CPU, f"processors pick first, and take {cpu.exec_s:.3g} s")
            return Chosen(GPU, f"{cpu.exec_s:.3g} s are more than processors take, {self._threshold_s:.3g} s")
        most_s = self._policy.device_threshold_s
        if gpu.exec_s <= most_s:
            return Chosen(GPU, f"devices pick first, and take {gpu.exec_s:.3g} s")
        return Chosen(CPU, f"{gpu.exec_s:.3g} s are more than devices take, {most_s:.3g} s")

    def _adjust(self, passed_s: float, slots: int) -> None:
        policy = self._policy
        load = self._given_s / max(passed_s, LEAST_S) / max(slots, 1)
        step_s = policy.step_s if load < policy.load else -policy.step_s
        self._threshold_s = max(self._threshold_s + step_s, 0.0)
