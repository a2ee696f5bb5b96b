"""RAPL as the kernel shows it: a directory for each counter, under /sys/class/powercap."""

import os
from pathlib import Path

from attacca.worker.core.energy.counters import Sum, Zone, counted
from attacca.worker.host.energy.types import Reading, SourceSilent

ZONES_MOST = 256
ROOT = "run as root: since Linux 5.10 only root may read energy_uj; or chmod o+r it"


class Powercap:
    """`root`: where the zones are. Which there are is looked for once."""

    name = "powercap"

    def __init__(self, root: Path = Path("/sys/class/powercap")) -> None:
        """
        Raises:
            SourceSilent: there is no counter that can be read.
        """
        self._root = root
        found = [zone for name in _names(root) if (zone := _zone(root, name)) is not None]
        self.zones = counted(found)
        self._sum = Sum()
        if not self.zones:
            raise SourceSilent(
                f"no counter of a package in {root}", "modprobe intel_rapl_msr; virtual machines have none"
            )
        self.read(0.0)
        self._sum = Sum()

    def __repr__(self) -> str:
        return f"<Powercap {len(self.zones)} zones, {self._sum.joules:g} J>"

    def read(self, at: float) -> Reading:
        said = {zone: uj for zone in self.zones if (uj := self._uj(zone)) is not None}
        if not said:
            raise SourceSilent(f"{self._root}/{self.zones[0].key}/energy_uj cannot be read", ROOT)
        self._sum.take(at, said)
        parts = tuple((zone.key, self._sum.total_uj.get(zone.key, 0) / 1e6) for zone in self.zones)
        return Reading(joules=self._sum.joules, parts=parts)

    def close(self) -> None:
        """Nothing is open."""

    def _uj(self, zone: Zone) -> int | None:
        return _number(self._root / zone.key / "energy_uj")


def _names(root: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(root) if ":" in name)[:ZONES_MOST]
    except OSError:
        return []


def _zone(root: Path, name: str) -> Zone | None:
    try:
        what = (root / name / "name").read_text(errors="replace").strip()[:100]
    except OSError:
        return None
    return Zone(name, what, _number(root / name / "max_energy_range_uj") or 0)


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(errors="replace").strip()
    except OSError:
        return None
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else None
