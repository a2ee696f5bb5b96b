"""Devices are a cache of functions: one that saves time there is let in, pays for others that would, and goes when it
cannot."""

from typing import Annotated, Literal

import msgspec

from attacca.kernel.chance import Chance
from attacca.model.accelerators import Compute
from attacca.policy.dispatch.types import CPU, GPU, Asked, Chosen

SLOWED = 0.05  # by each function that is active on a device
EARLIER, NOW, SEEN = 0.1, 0.7, 0.2  # shares of an estimate: the one before, the queue's, the latest answer's time


class Landlord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Landlord (Young: Algorithmica 2002) on functions, as Ilúvatar has it for polymorphic dispatch.

    What a function saves on a device is max(cpu expected, cpu exec) - gpu expected * (1 + 0.05 * active functions). One
    that is resident earns that, and runs on a device while its credit and that are above 0. One that is not charges it
    as rent to those that are, by their load there (what waits and runs, times its execution); who has no credit left
    and nothing there goes. It is let in if it saves something and there is room with little load (less than
    `load_threshold` invocations for each of `size`); not if devices slow it down `slowdown_threshold` times; and else
    by lot, 1 in 1 + how often it was let in, when a resident with nothing there and no more credit than was lost since
    the last entry makes place. `fixed`: it is let in while executions of residents add up to less than `size` seconds,
    and else in the place of one. `evict` "lru" and "lfu" charge 1 for every miss and let the one go that was used
    longest ago, or least.

    Three things differ. The estimate on a device is 0.1 of the one before, 0.7 of what its queue says and 0.2 of the
    latest time until an answer; Ilúvatar takes 0.2 of that time less the estimate, so that a right estimate shrinks by
    a fifth. Rent of "lru" and "lfu" is taken; Ilúvatar's sign adds it. And where residents have no load, all pay alike.
    """

    size: Annotated[int, msgspec.Meta(ge=1)] = 10  # functions at once
    load_threshold: Annotated[float, msgspec.Meta(ge=0)] = 0.5
    slowdown_threshold: Annotated[float, msgspec.Meta(gt=0)] = 6.0
    fixed: bool = False
    evict: Literal["landlord", "lru", "lfu"] = "landlord"

    def fresh(self, chance: Chance) -> "Residents":
        return Residents(self, chance)


class Resident:
    """A function whose data devices may hold."""

    __slots__ = ("credit", "exec_s", "load", "used_at", "uses")

    def __init__(self, now: float, credit: float) -> None:
        self.credit = credit
        self.exec_s = 0.0
        self.load = 0  # invocations that wait or run there
        self.used_at = now
        self.uses = 0

    def __repr__(self) -> str:
        return f"<Resident with {self.credit:g}, {self.load} there, {self.uses} so far>"


class Residents:
    def __init__(self, policy: Landlord, chance: Chance) -> None:
        self._policy, self._chance = policy, chance
        self.residents: dict[str, Resident] = {}
        self._entries: dict[str, int] = {}  # by function: how often it was let in
        self._estimates: dict[str, float] = {}
        self._lost = 0.0  # credit, since somebody was let in
        self.hits = self.misses = self.evictions = 0

    def __repr__(self) -> str:
        return (
            f"<Residents {len(self.residents)} of {self._policy.size}, {self.hits} hits, {self.misses} misses, "
            f"{self.evictions} evictions>"
        )

    def choose(self, now: float, asked: Asked) -> Chosen:
        saved = self._saved(asked)
        resident = self.residents.get(asked.function)
        chosen = self._miss(now, asked, saved) if resident is None else self._hit(now, asked, resident, saved)
        if chosen.on == GPU:
            there = self.residents[asked.function]
            there.load += 1
            there.uses += 1
            there.used_at = now
            there.exec_s = asked.gpu.exec_s
        return chosen

    def ended(self, now: float, function: str, compute: Compute, exec_s: float, total_s: float) -> None:
        resident = self.residents.get(function)
        if compute is Compute.GPU and resident is not None:
            resident.load = max(0, resident.load - 1)

    def _saved(self, asked: Asked) -> float:
        before = self._estimates.get(asked.function)
        estimate = asked.gpu.expected_s
        if before is not None:
            estimate = EARLIER * before + NOW * estimate + SEEN * (asked.gpu.last_s or before)
        self._estimates[asked.function] = estimate
        if self._policy.evict == "lfu":
            return 1.0
        if self._policy.evict == "lru":
            return 0.0 if asked.function in self.residents else 1.0
        active = sum(resident.load > 0 for resident in self.residents.values())
        return max(asked.cpu.expected_s, asked.cpu.exec_s) - estimate * (1 + SLOWED * active)

    def _hit(self, now: float, asked: Asked, resident: Resident, saved: float) -> Chosen:
        resident.credit += max(saved, 0.0)
        if self._policy.evict == "landlord" and resident.credit + saved <= 0:
            self.misses += 1
            return Chosen(CPU, f"has a place on a device, but its credit of {resident.credit:.3g} s is not enough")
        self.hits += 1
        return Chosen(GPU, "has a place on a device")

    def _miss(self, now: float, asked: Asked, saved: float) -> Chosen:
        if saved > 0:
            self._charge(saved)
        why = self._admission(asked, saved)
        if why:
            self.misses += 1
            return Chosen(CPU, why)
        self.hits += 1
        self.residents[asked.function] = Resident(now, max(saved, 0.0))
        self._entries[asked.function] = self._entries.get(asked.function, 0) + 1
        self._lost = 0.0
        return Chosen(GPU, f"is given a place on a device, where it saves {saved:.3g} s")

    def _charge(self, rent: float) -> None:
        residents, policy = self.residents, self._policy
        loads = {name: one.load * one.exec_s for name, one in residents.items()}
        whole = sum(loads.values())
        for name in list(residents):
            one = residents[name]
            share = loads[name] / whole if whole else 1 / len(residents)
            paid = rent * share if policy.evict == "landlord" else 1.0
            self._lost += min(paid, max(one.credit, 0.0))
            one.credit -= paid
            if policy.evict == "landlord" and one.credit <= 0 and not one.load:
                self._evict(name)

    def _admission(self, asked: Asked, saved: float) -> str:
        """Why it is not let in; empty: it is."""
        policy, gpu = self._policy, asked.gpu
        if saved <= 0:
            return "would save nothing on a device"
        if policy.fixed:
            held_s = sum(one.exec_s for one in self.residents.values())
            is_full = held_s >= policy.size
            return "nobody makes place on a device" if is_full and not self._make_place() else ""
        is_full = len(self.residents) >= policy.size
        if policy.evict != "landlord":
            return "nobody makes place on a device" if is_full and not self._make_place() else ""
        if not is_full and (gpu.queued + gpu.running) / policy.size < policy.load_threshold:
            return ""
        if gpu.exec_s and self._estimates[asked.function] / gpu.exec_s > policy.slowdown_threshold:
            if is_full:
                self._make_place()
            return "devices are too slow for it now"
        if self._chance.random() >= 1 / (1 + self._entries.get(asked.function, 0)):
            return "the lot was against a place on a device"
        return "nobody makes place on a device" if is_full and not self._make_place(self._lost) else ""

    def _make_place(self, most: float | None = None) -> bool:
        """`most`: that who goes may have of credit."""
        idle = [(name, one) for name, one in self.residents.items() if not one.load]
        if most is not None:
            idle = [(name, one) for name, one in idle if one.credit <= most]
        if not idle:
            return False
        self._evict(min(idle, key=self._worth)[0])
        return True

    def _worth(self, resident: tuple[str, Resident]) -> tuple[float, str]:
        name, one = resident
        match self._policy.evict:
            case "landlord":
                return one.credit, name
            case "lru":
                return one.used_at, name
            case "lfu":
                return one.uses, name

    def _evict(self, name: str) -> None:
        del self.residents[name]
        self.evictions += 1
