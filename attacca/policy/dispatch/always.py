"""Always on a device, or never."""

from typing import Literal

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.dispatch.types import CPU, GPU, Asked, Chosen, Forgetful


class Always(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ilúvatar's `AlwaysGPU` and `AlwaysCPU`."""

    on: Literal["cpu", "gpu"] = "gpu"

    def fresh(self, chance: Chance) -> "Settled":
        return Settled(self)


class Settled(Forgetful):
    def __init__(self, policy: Always) -> None:
        self._on = GPU if policy.on == "gpu" else CPU

    def __repr__(self) -> str:
        return f"<Settled on the {self._on[0]}>"

    def choose(self, now: float, asked: Asked) -> Chosen:
        return Chosen(self._on, f"always on the {self._on[0]}")
