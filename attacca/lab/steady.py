"""Whether a machine is quiet enough to say how far a simulation is from it.

What is looked at is what makes two live runs differ: cores that something else uses, time that a hypervisor gives to
others, the load of the last minute, and whether the same work takes the same time again and again, which it does not
where the frequency changes.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import msgspec

LOOK_S: Final = 1.5
TICKS: Final = os.sysconf("SC_CLK_TCK")
WORK: Final = 20_000  # turns of a loop, about a millisecond
FOREIGN: Final = 0.1  # of a core, for something else
STOLEN: Final = 0.005  # of the time
LOAD: Final = 0.5  # per core, of the last minute
UNSTEADY: Final = 0.05  # that the slower of the same work takes longer than the median


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of it."""

    cores: int
    foreign: float  # cores that something else used meanwhile
    stolen: float  # the share of the time that a hypervisor gave to others
    load: float  # of the last minute
    unsteady: float  # how much longer one in ten of the same work took than the median
    mhz: float | None = None  # of the processors, the mean; where it is told

    def reasons(self) -> list[str]:
        """Why no difference between live and simulated can be trusted; none: it can."""
        why = []
        if self.foreign > FOREIGN:
            why.append(f"something else uses {self.foreign:.2f} of its {self.cores} cores")
        if self.stolen > STOLEN:
            why.append(f"the hypervisor gives {self.stolen:.1%} of its time to others")
        if self.load > LOAD * self.cores:
            why.append(f"its load over the last minute is {self.load:.1f} on {self.cores} cores")
        if self.unsteady > UNSTEADY:
            why.append(f"the same work takes {self.unsteady:.0%} longer one time in ten, as where frequencies change")
        return why

    def told(self) -> str:
        speed = f", {self.mhz:,.0f} MHz" if self.mhz is not None else ""
        facts = (
            f"{self.cores} cores{speed}, {self.foreign:.2f} of them in use, {self.stolen:.1%} stolen, "
            f"load {self.load:.1f}, steady within {self.unsteady:.0%}"
        )
        if reasons := self.reasons():
            return f"This machine cannot give a verdict now: {'; '.join(reasons)} ({facts})."
        return f"This machine can give a verdict: {facts}."


def look(now: Callable[[], float], root: Path = Path("/proc")) -> Machine:
    """Work for a while, and see how evenly it goes and what else there is."""
    before, own, began = _ticks(root), sum(os.times()[:2]), now()
    took = []
    while (at := now()) - began < LOOK_S:
        _work()
        took.append(now() - at)
    lasted_s = now() - began
    return Machine(
        cores=os.cpu_count() or 1,
        **_between(before, _ticks(root), sum(os.times()[:2]) - own, lasted_s),
        load=_load(root),
        unsteady=unevenness(took),
        mhz=_mhz(root),
    )


def _work() -> None:
    for _ in range(WORK):
        pass


def unevenness(took: Sequence[float]) -> float:
    """How much longer than the median one in ten takes."""
    if len(took) < 10:
        return 0.0
    return max(quantiles(took, n=10)[-1] / median(took) - 1.0, 0.0)


def _between(before: Sequence[int], after: Sequence[int], own_s: float, lasted_s: float) -> dict[str, float]:
    """/proc/stat: user, nice, system, idle, waiting, interrupts, soft ones, stolen."""
    spent = [max(late - early, 0) for early, late in zip(before, after, strict=False)]
    if len(spent) < 8 or not sum(spent):
        return {"foreign": 0.0, "stolen": 0.0}
    busy_s = (sum(spent[:8]) - spent[3] - spent[4] - spent[7]) / TICKS
    return {"foreign": max(busy_s - own_s, 0.0) / lasted_s, "stolen": spent[7] / sum(spent[:8])}


def _ticks(root: Path) -> list[int]:
    return [int(word) for word in _text(root / "stat").partition("\n")[0].split()[1:] if word.isdigit()]


def _load(root: Path) -> float:
    words = _text(root / "loadavg").split()
    return float(words[0]) if words else 0.0


def _mhz(root: Path) -> float | None:
    lines = _text(root / "cpuinfo").splitlines()
    speeds = [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]
    return sum(speeds) / len(speeds) if speeds else None


def _text(path: Path) -> str:
    """What is not there is not known: a machine of another kind has no /proc."""
    try:
        return path.read_text()
    except OSError:
        return ""


def plain(machine: Machine) -> Mapping[str, object]:
    return {**msgspec.structs.asdict(machine), "can_judge": not machine.reasons(), "reasons": machine.reasons()}
