"""A machine's counters as files, as the kernel shows them, where there is no such machine."""

import struct
from pathlib import Path

RANGE_UJ = 262_143_328_850


def zone(root: Path, key: str, name: str, uj: int, range_uj: int = RANGE_UJ) -> None:
    directory = root / key
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "name").write_text(f"{name}\n")
    (directory / "max_energy_range_uj").write_text(f"{range_uj}\n")
    (directory / "energy_uj").write_text(f"{uj}\n")


def two_packages(root: Path, uj: int = 0) -> None:
    """As a server with two of Intel's processors shows it."""
    (root / "intel-rapl").mkdir(parents=True, exist_ok=True)
    for number in (0, 1):
        zone(root, f"intel-rapl:{number}", f"package-{number}", uj)
        zone(root, f"intel-rapl:{number}:0", "dram", uj // 10)


def processor(at: Path, number: int, package: int, die: int = 0) -> None:
    topology = at / f"cpu{number}" / "topology"
    topology.mkdir(parents=True, exist_ok=True)
    (topology / "physical_package_id").write_text(f"{package}\n")
    (topology / "die_id").write_text(f"{die}\n")


def register(root: Path, number: int, unit: int, energy: int, counts: int, unit_bits: int = 14) -> None:
    """The registers `unit` and `energy` of a processor."""
    (root / str(number)).mkdir(parents=True, exist_ok=True)
    with (root / str(number) / "msr").open("wb") as file:
        file.seek(unit)
        file.write(struct.pack("<Q", unit_bits << 8 | 0x3))
        file.seek(energy)
        file.write(struct.pack("<Q", counts))
