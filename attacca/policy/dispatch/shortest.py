"""Where it computes for the shortest time, however long it waits there."""

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.dispatch.types import CPU, GPU, Asked, Chosen, Forgetful


class Shortest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ilúvatar's `ShortestExecTime`: the smaller mean execution; what is unknown is 0, and so is tried."""

    def fresh(self, chance: Chance) -> "ByExecution":
        return ByExecution()


class ByExecution(Forgetful):
    def __repr__(self) -> str:
        return "<ByExecution>"

    def choose(self, now: float, asked: Asked) -> Chosen:
        cpu_s, gpu_s = asked.cpu.exec_s, asked.gpu.exec_s
        why = f"computes for {gpu_s:.3g} s on a device, for {cpu_s:.3g} s on a processor"
        return Chosen(GPU if gpu_s <= cpu_s else CPU, why)
