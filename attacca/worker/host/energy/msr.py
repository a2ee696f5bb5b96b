"""RAPL as processors say it in their registers, under /dev/cpu: where the kernel has no powercap for them.

The register counts a whole package (of Intel's a die), and every processor of it tells the same: one of each is asked.
In a virtual machine of KVM it is there, and says 0 for ever; so does the register with the unit, which of a real one is
never 0, as it says what counts of power and time are besides.
"""

import contextlib
import os
import struct
from pathlib import Path
from typing import Final, NamedTuple

from attacca.worker.core.energy.counters import Sum, Zone
from attacca.worker.host.energy.types import Reading, SourceSilent

PROCESSORS_MOST = 4096
HINT = "as root: modprobe msr; virtual machines have no such registers, or empty ones"


class Registers(NamedTuple):
    unit: int  # whose bits 8 to 12 say what one count is: 1/2^n of a joule
    energy: int  # the lower 32 bits count


REGISTERS: Final = {
    "GenuineIntel": Registers(0x606, 0x611),
    "AuthenticAMD": Registers(0xC001_0299, 0xC001_029B),
    "HygonGenuine": Registers(0xC001_0299, 0xC001_029B),
}


class Msr:
    """`root`: where processors show their registers; `proc`, `sys`: where the kernel says what they are."""

    name = "msr"

    def __init__(
        self, root: Path = Path("/dev/cpu"), proc: Path = Path("/proc"), sys: Path = Path("/sys/devices/system/cpu")
    ) -> None:
        """
        Raises:
            SourceSilent: there is no such register that can be read.
        """
        self._root = root
        vendor = _vendor(proc)
        registers = REGISTERS.get(vendor)
        if registers is None:
            raise SourceSilent(f"processors of {vendor or 'an unknown maker'} have no such register", HINT)
        self._registers = registers
        self._units: dict[Zone, tuple[int, float]] = {}  # which processor is asked, and microjoules of a count
        for package, processor in _one_of_each(sys, has_dies=vendor == "GenuineIntel").items():
            if said := self._register(processor, registers.unit):
                unit_uj = 1e6 / (1 << (said >> 8 & 0x1F))
                self._units[Zone(f"msr:{package}", package, int(unit_uj * (1 << 32)))] = processor, unit_uj
        if not self._units:
            raise SourceSilent(f"no register in {root} says anything", HINT)
        self._sum = Sum()

    def __repr__(self) -> str:
        return f"<Msr {len(self._units)} packages, {self._sum.joules:g} J>"

    def read(self, at: float) -> Reading:
        said = {}
        for zone, (processor, unit_uj) in self._units.items():
            if (counts := self._register(processor, self._registers.energy)) is not None:
                said[zone] = int((counts & 0xFFFF_FFFF) * unit_uj)
        if not said:
            raise SourceSilent(f"no register can be read in {self._root}", HINT)
        self._sum.take(at, said)
        return Reading(self._sum.joules, parts=tuple((key, uj / 1e6) for key, uj in self._sum.total_uj.items()))

    def close(self) -> None:
        """Nothing is open."""

    def _register(self, processor: int, number: int) -> int | None:
        with contextlib.suppress(OSError):
            descriptor = os.open(self._root / str(processor) / "msr", os.O_RDONLY | os.O_CLOEXEC)
            try:
                data = os.pread(descriptor, 8, number)
            finally:
                os.close(descriptor)
            if len(data) == 8:
                return int(struct.unpack("<Q", data)[0])
        return None


def _vendor(proc: Path) -> str:
    with contextlib.suppress(OSError):
        for line in (proc / "cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "vendor_id":
                return value.strip()
    return ""


def _one_of_each(sys: Path, *, has_dies: bool) -> dict[str, int]:
    """Of each package the first processor that is there."""
    found: dict[str, int] = {}
    names = [path.name[3:] for path in sys.glob("cpu[0-9]*")]
    for processor in sorted(int(name) for name in names if name.isdecimal())[:PROCESSORS_MOST]:
        topology = sys / f"cpu{processor}" / "topology"
        package = _text(topology / "physical_package_id")
        if not package:
            continue
        die = _text(topology / "die_id") if has_dies else ""
        name = f"package-{package}" + (f"-die-{die}" if die not in ("", "0") else "")
        found.setdefault(name, processor)
    return found


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        text = path.read_text(errors="replace").strip()
        return text if text.isascii() and text.isdecimal() else ""
    return ""
