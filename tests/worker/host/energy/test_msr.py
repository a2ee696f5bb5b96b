from pathlib import Path

import pytest

from attacca.worker.host.energy.msr import REGISTERS, Msr
from attacca.worker.host.energy.types import SourceSilent
from tests.worker.host.energy.tree import processor, register

INTEL, AMD = "GenuineIntel", "AuthenticAMD"


def machine(root: Path, vendor: str, counts: int, processors: int = 8) -> Msr:
    """Two packages with four processors each, all of which tell what their package has counted."""
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc" / "cpuinfo").write_text(f"processor\t: 0\nvendor_id\t: {vendor}\n")
    write(root, vendor, counts, processors)
    return Msr(root / "dev", root / "proc", root / "cpu")


def write(root: Path, vendor: str, counts: int, processors: int = 8) -> None:
    for number in range(processors):
        processor(root / "cpu", number, package=number // 4)
        register(root / "dev", number, *REGISTERS[vendor], counts)


@pytest.mark.parametrize("vendor", [INTEL, AMD])
def test_a_package_counts_once_and_not_for_each_processor(tmp_path: Path, vendor: str) -> None:
    source = machine(tmp_path, vendor, 0)
    source.read(0.0)
    write(tmp_path, vendor, 10 << 14)
    assert source.read(1.0).joules == 20.0, "the original had 80, and called them microjoules"
    assert repr(source) == "<Msr 2 packages, 20 J>"
    source.close()


def test_a_register_of_32_bits_goes_around(tmp_path: Path) -> None:
    source = machine(tmp_path, INTEL, (1 << 32) - (1 << 14))
    source.read(0.0)
    write(tmp_path, INTEL, 2 << 14)
    assert source.read(1.0).joules == pytest.approx(6.0, abs=1e-4)


def test_what_is_above_32_bits_is_no_energy(tmp_path: Path) -> None:
    source = machine(tmp_path, INTEL, 7 << 40)
    assert source.read(0.0).joules == 0.0
    write(tmp_path, INTEL, 9 << 40 | 1 << 14)
    assert source.read(1.0).joules == 2.0


def test_dies_of_a_package_count_each_where_they_have_a_counter_each(tmp_path: Path) -> None:
    for vendor, joules in ((INTEL, 2.0), (AMD, 1.0)):
        root = tmp_path / vendor
        root.mkdir()
        for number in (0, 1):
            processor(root / "cpu", number, package=0, die=number)
            register(root / "dev", number, *REGISTERS[vendor], 0)
        (root / "proc").mkdir()
        (root / "proc" / "cpuinfo").write_text(f"vendor_id : {vendor}\n")
        source = Msr(root / "dev", root / "proc", root / "cpu")
        source.read(0.0)
        for number in (0, 1):
            register(root / "dev", number, *REGISTERS[vendor], 1 << 14)
        assert source.read(1.0).joules == joules


def test_a_virtual_machine_whose_registers_are_empty_has_none(tmp_path: Path) -> None:
    machine(tmp_path, INTEL, 0)
    for number in range(8):
        (tmp_path / "dev" / str(number) / "msr").write_bytes(bytes(REGISTERS[INTEL].energy + 8))
    with pytest.raises(SourceSilent, match="no register"):
        Msr(tmp_path / "dev", tmp_path / "proc", tmp_path / "cpu")


def test_where_there_is_none_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceSilent, match="unknown maker"):
        Msr(tmp_path, tmp_path, tmp_path)
    (tmp_path / "cpuinfo").write_text(f"vendor_id : {INTEL}\n")
    processor(tmp_path, 0, package=0)
    with pytest.raises(SourceSilent, match="no register"):
        Msr(tmp_path / "dev", tmp_path, tmp_path)
