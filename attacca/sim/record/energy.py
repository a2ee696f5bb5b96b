"""What simulated machines spend: so much each while they are there, and more for each second of a core."""

import msgspec

from attacca.load.workload.scenario import Power


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """In joules. `invocation_j`: of one that was answered, on average: its processor time, and of what being on takes
    the part that its sandbox reserves of the memory, as long as it ran."""

    energy_j: float  # of all machines
    invocation_j: float


class Energy:
    """Starts, and what keeps cores busy besides, are not in it."""

    def __init__(self, power: Power, memory_mb: int) -> None:
        """`memory_mb`: of one worker."""
        self._power, self._memory_mb = power, memory_mb
        self._core_w = power.core_w * power.clock**3
        self._ran = 0
        self._cpu_s = self._mb_s = 0.0

    def __repr__(self) -> str:
        return f"<Energy of {self._ran} invocations, {self._cpu_s:g} s>"

    def ran(self, cpu_s: float, mb_s: float) -> None:
        """One that was answered: of processors, and of memory while it ran."""
        self._ran += 1
        self._cpu_s += cpu_s
        self._mb_s += mb_s

    def spent(self, seconds: float, workers: int) -> Spent:
        computing_j = self._cpu_s * self._core_w
        while_on_j = self._mb_s / self._memory_mb * self._power.idle_w
        return Spent(
            energy_j=self._power.idle_w * seconds * workers + computing_j,
            invocation_j=(computing_j + while_on_j) / self._ran if self._ran else 0.0,
        )
