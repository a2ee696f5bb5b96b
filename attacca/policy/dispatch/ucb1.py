"""Where the answers came soonest, as far as that is known: what was tried seldom is given the benefit of the doubt."""

from math import log2, sqrt

import msgspec

from attacca.kernel.chance import Chance
from attacca.model.accelerators import Compute
from attacca.policy.dispatch.types import BOTH, CPU, GPU, Asked, Chosen, Forgetful


class Ucb1(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """UCB1 (Auer, Cesa-Bianchi and Fischer: Machine Learning 2002) for a cost: the smallest of avgE2E -
    sqrt(log2(total) / n), with n of all `total` invocations of the function sent there; both counts start at 1.

    Ilúvatar adds the root, which is right for a reward that is maximised and has it avoid what it knows little of; and
    it counts all functions together.
    """

    def fresh(self, chance: Chance) -> "Bandit":
        return Bandit()


class Bandit(Forgetful):
    def __init__(self) -> None:
        self._sent: dict[str, dict[Compute, int]] = {}  # by function

    def __repr__(self) -> str:
        return f"<Bandit {len(self._sent)} functions>"

    def choose(self, now: float, asked: Asked) -> Chosen:
        sent = self._sent.setdefault(asked.function, dict.fromkeys(BOTH, 1))
        total = sum(sent.values())
        cpu = asked.cpu.total_s - sqrt(log2(total) / sent[Compute.CPU])
        gpu = asked.gpu.total_s - sqrt(log2(total) / sent[Compute.GPU])
        on = GPU if gpu <= cpu else CPU
        sent[on[0]] += 1
        return Chosen(on, f"at best {gpu:.3g} s on a device, {cpu:.3g} s on a processor")
