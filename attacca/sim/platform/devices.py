"""The memory of a simulated worker's accelerators: whose data is there, whose must be brought, and who makes place."""

from collections.abc import Container, Mapping

from attacca.load.workload.scenario import Accelerated, Accelerators
from attacca.model.function import Revision
from attacca.sim.platform.draws import Duration


class OnDevices:
    """How long functions take on a device, what they need besides a cold start, and what they have there."""

    def __init__(self, seed: int, plans: Mapping[str, Accelerated]) -> None:
        """`plans`: by function."""
        self._plans = plans
        self._runs = {name: Duration(plan.duration, seed, f"gpu/{name}") for name, plan in plans.items()}
        self._starts = {name: Duration(plan.start, seed, f"gpu/start/{name}") for name, plan in plans.items()}
        self._started: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<OnDevices {len(self._plans)} functions, {sum(self._started.values())} starts>"

    def run_s(self, function: str, number: int) -> float:
        return self._runs[function].at(number)

    def start_s(self, function: str) -> float:
        number = self._started.get(function, 0)
        self._started[function] = number + 1
        return self._starts[function].at(number)

    def data_mb(self, function: str) -> float:
        return self._plans[function].data_mb


class DeviceMemory:
    """Of each device: data of sandboxes, the least recently used first. What is used now stays; where that is more than
    there is, it is brought all the same each time."""

    def __init__(self, accelerators: Accelerators) -> None:
        self._whole_mb = accelerators.memory_mb
        self._mb_s = accelerators.transfer_mb_s
        self._held: dict[str, dict[str, float]] = {}  # by device, by sandbox
        self._ready_at: dict[str, float] = {}  # by sandbox: data that is on its way, or has come
        self.moved_mb = 0.0
        self.moves = 0

    def __repr__(self) -> str:
        held = sum(len(of) for of in self._held.values())
        return f"<DeviceMemory {held} sandboxes, {self.moves} moves, {self.moved_mb:g} MB moved>"

    def bring(self, now: float, sandbox: str, device: str, data_mb: float, busy: Container[str]) -> float:
        """So long it takes until its data is there; nothing, if it is. `busy`: sandboxes that compute now."""
        held = self._held.setdefault(device, {})
        if sandbox in held:
            held[sandbox] = held.pop(sandbox)
            return max(0.0, self._ready_at[sandbox] - now)
        self._make_place(held, data_mb, busy)
        held[sandbox] = data_mb
        self._ready_at[sandbox] = now + data_mb / self._mb_s
        self.moves += 1
        self.moved_mb += data_mb
        return data_mb / self._mb_s

    def is_there(self, sandbox: str, device: str) -> bool:
        return sandbox in self._held.get(device, {})

    def forget(self, there: Container[str]) -> None:
        """All sandboxes but these are gone."""
        for held in self._held.values():
            for sandbox in [one for one in held if one not in there]:
                del held[sandbox], self._ready_at[sandbox]

    def _make_place(self, held: dict[str, float], data_mb: float, busy: Container[str]) -> None:
        free_mb = self._whole_mb - sum(held.values(), 0.0)
        for sandbox in [one for one in held if one not in busy]:
            if free_mb >= data_mb:
                return
            free_mb += held.pop(sandbox)
            del self._ready_at[sandbox]


def device_of(revision: Revision) -> str:
    """Of its sandbox; empty: it has none."""
    return revision.settings.env.get("CUDA_VISIBLE_DEVICES", "") if revision.settings.gpu else ""
