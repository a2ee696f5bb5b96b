from pathlib import Path

import pytest

from attacca.worker.host.energy.powercap import Powercap
from attacca.worker.host.energy.types import Reading, SourceSilent
from tests.worker.host.energy.tree import RANGE_UJ, two_packages, zone


def test_packages_and_their_memory_are_read_once_each(tmp_path: Path) -> None:
    two_packages(tmp_path)
    zone(tmp_path, "intel-rapl:0:1", "core", 0)
    source = Powercap(tmp_path)
    assert source.read(0.0).joules == 0.0
    two_packages(tmp_path, 50_000_000)
    zone(tmp_path, "intel-rapl:0:1", "core", 40_000_000)
    parts = (("intel-rapl:0", 50.0), ("intel-rapl:0:0", 5.0), ("intel-rapl:1", 50.0), ("intel-rapl:1:0", 5.0))
    assert source.read(1.0) == Reading(joules=110.0, parts=parts)
    assert repr(source) == "<Powercap 4 zones, 110 J>"
    source.close()


def test_a_counter_goes_around(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", RANGE_UJ - 1_000_000)
    source = Powercap(tmp_path)
    source.read(0.0)
    zone(tmp_path, "intel-rapl:0", "package-0", 500_000)
    assert source.read(1.0).joules == 1.5


def test_who_may_not_read_is_told_what_to_do(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 0)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("")
    with pytest.raises(SourceSilent, match="cannot be read") as found:
        Powercap(tmp_path)
    assert "root" in found.value.hint


@pytest.mark.parametrize("text", ["-5", "nan", "1e9", "٣", "9" * 21, "\x00"])
def test_what_is_no_number_is_no_energy(tmp_path: Path, text: str) -> None:
    two_packages(tmp_path)
    source = Powercap(tmp_path)
    source.read(0.0)
    two_packages(tmp_path, 1_000_000)
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text(text)
    assert source.read(1.0).joules == 1.2


def test_where_there_is_none_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceSilent, match="no counter of a package"):
        Powercap(tmp_path / "nothing")
    (tmp_path / "dtpm").mkdir()
    with pytest.raises(SourceSilent):
        Powercap(tmp_path)
