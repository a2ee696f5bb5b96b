"""Drawn by how many it would be served per second there, with a warm sandbox as likely as it is."""

from math import exp
from typing import Annotated

import msgspec

from attacca.kernel.chance import Chance
from attacca.model.accelerators import Compute
from attacca.policy.dispatch.types import CPU, GPU, Asked, Chosen, Forgetful

THERE, NOT_THERE = 0.99, 0.01  # how likely a warm sandbox is on a processor, where one exists and where none does
NEVER_S = 10_000.0
LEAST_S = 1e-6


class HitThroughput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ilúvatar's `HitTput`: r = likelihood of a warm start / estimated completion, and a device is drawn with the share
    r(gpu) / (r(cpu) + r(gpu)). On a processor the likelihood is 0.99 where a sandbox exists and 0.01 where none does,
    on a device 1 - e^(-active_s / gap), with the time since the function was last sent there, 10,000 s if never.

    Ilúvatar has the two shares the wrong way round, and forgets when a function was sent where. There `active_s` is how
    long a function's queue stays active, as measured; here it is given.
    """

    active_s: Annotated[float, msgspec.Meta(gt=0)] = 2.0

    def fresh(self, chance: Chance) -> "Hits":
        return Hits(self, chance)


class Hits(Forgetful):
    def __init__(self, policy: HitThroughput, chance: Chance) -> None:
        self._active_s = policy.active_s
        self._chance = chance
        self._sent_at: dict[str, float] = {}  # to a device, by function

    def __repr__(self) -> str:
        return f"<Hits {len(self._sent_at)} functions>"

    def choose(self, now: float, asked: Asked) -> Chosen:
        sent_at = self._sent_at.get(asked.function)
        gap_s = NEVER_S if sent_at is None else max(now - sent_at, LEAST_S)
        on_cpu = (THERE if asked.cpu.sandboxes else NOT_THERE) / max(asked.cpu.expected_s, LEAST_S)
        on_gpu = (1 - exp(-self._active_s / gap_s)) / max(asked.gpu.expected_s, LEAST_S)
        share = on_gpu / (on_cpu + on_gpu)
        on = GPU if self._chance.random() < share else CPU
        if on[0] is Compute.GPU:
            self._sent_at[asked.function] = now
        return Chosen(on, f"drawn, with {share:.3g} for a device")
