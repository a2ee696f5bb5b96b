"""Sources that are programs, against stand-ins that say what the real ones say."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from attacca.cli.serve.planes.metering import Metering
from attacca.errors import BadConfig
from attacca.kernel.clock import SystemClock
from attacca.worker.host.energy import ipmi
from attacca.worker.host.energy.ipmi import Ipmi
from attacca.worker.host.energy.nvidia import Nvidia
from attacca.worker.host.energy.opening import opened, tried
from attacca.worker.host.energy.options import EnergyConfig
from attacca.worker.host.energy.perf import Perf
from attacca.worker.host.energy.programs import Asking, Streaming
from attacca.worker.host.energy.tegra import Tegra
from attacca.worker.host.energy.types import Reading, Source, SourceSilent
from tests.live.stand_ins import programs
from tests.live.whole import until


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = programs(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{found}:{os.environ['PATH']}")
    return found


def first(source: Source) -> Reading:
    found: list[Reading] = []

    def says() -> bool:
        try:
            found.append(source.read(0.0))
        except SourceSilent:
            return False
        return True

    until(says, "it says something")
    return found[0]


def test_a_controller_is_asked(path: Path) -> None:
    source = Ipmi()
    assert source.read(0.0) == Reading(watts=220.0)
    assert repr(source) == "<Ipmi of this machine>"
    source.close()
    with pytest.raises(SourceSilent, match="not asked any more"):
        source.read(0.0)


def test_a_controller_on_the_network_is_asked_with_a_password_from_a_file(path: Path) -> None:
    (path / "ipmitool").write_text(
        '#!/bin/sh\necho "Instantaneous power reading: 7 Watts" $* > "$(dirname "$0")/asked"\n'
    )
    with pytest.raises(SourceSilent, match="no power"):
        Ipmi("host", "me", "/secret").read(0.0)
    assert (path / "asked").read_text().endswith("-I lanplus -H host -U me -f /secret dcmi power reading\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [("exit 1", "failed with 1"), ("echo boo >&2; exit 2", "failed with 2: boo"), ("exec sleep 600", "took more than")],
)
def test_one_that_fails_or_does_not_answer_is_silent(
    path: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    monkeypatch.setattr(ipmi, "TIMEOUT_S", 0.2)
    (path / "ipmitool").write_text(f"#!/bin/sh\n{text}\n")
    with pytest.raises(SourceSilent, match=why):
        Ipmi().read(0.0)


def test_accelerators_are_asked(path: Path) -> None:
    source = Nvidia()
    assert source.read(0.0) == Reading(watts=61.25, parts=(("gpu0", 61.25),))
    assert repr(source) == "<Nvidia by <Asking nvidia-smi>>"


def test_a_board_goes_on_saying(path: Path) -> None:
    lines: list[str] = []
    source = Tegra(0.05, lines.append)
    assert first(source) == Reading(watts=3.024, parts=(("VDD_GPU_SOC", 1.6), ("VIN_SYS_5V0", 3.024)))
    assert repr(source).startswith("<Tegra 2 rails, <Streaming ")
    assert lines
    source.close()
    with pytest.raises(SourceSilent, match="has ended"):
        source.read(0.0)


def test_perf_counts_what_it_can_count(path: Path) -> None:
    source = Perf(0.05)
    assert source.events == [
        "power/energy-pkg/", "power/energy-ram/", "cache-references", "cache-misses"
    ]  # fmt: skip
    assert first(source).joules is not None
    until(lambda: (source.read(0.0).joules or 0.0) >= 5.0, "it has counted two intervals")
    assert repr(source).startswith("<Perf 4 events, ")
    source.close()
    with pytest.raises(SourceSilent, match="perf has ended"):
        source.read(0.0)


def test_a_perf_without_energy_is_none(path: Path) -> None:
    (path / "perf").write_text("#!/bin/sh\necho '<not supported>,Joules,power/energy-pkg/,0,100.00,,'\n")
    with pytest.raises(SourceSilent, match="cannot count"):
        Perf(1.0)


def test_the_first_that_is_there_is_taken(path: Path, tmp_path: Path) -> None:
    config = EnergyConfig(source="auto", powercap=str(tmp_path), msr=str(tmp_path))
    source = opened(config)
    assert source.name == "perf"
    source.close()
    found = tried(config)
    assert [name for name, why in found.items() if why is None] == ["perf", "tegra", "ipmi", "nvidia"]


def test_a_controller_that_nobody_can_ask_is_no_source(path: Path, tmp_path: Path) -> None:
    for name in ("perf", "tegrastats", "ipmitool"):
        (path / name).write_text("#!/bin/sh\nexit 1\n")
    (path / "tegrastats").unlink()
    config = EnergyConfig(source="auto", powercap=str(tmp_path), msr=str(tmp_path))
    with pytest.raises(SourceSilent, match="says nothing of its energy"):
        opened(config)
    assert opened(EnergyConfig(source="ipmi")).name == "ipmi", "who names it waits for it"


def test_one_that_is_named_and_not_there_stops_the_start(tmp_path: Path) -> None:
    clock = SystemClock()
    with pytest.raises(BadConfig, match=r"energy.source = powercap: no counter"):
        Metering(EnergyConfig(source="powercap", powercap=str(tmp_path)), clock, dict, 100)
    assert repr(Metering(EnergyConfig(), clock, dict, 100)) == "<Metering by None>"


def test_what_cannot_be_run_is_said(tmp_path: Path) -> None:
    begun: list[Callable[[], object]] = [
        lambda: Asking([str(tmp_path)], 1.0).ask(), lambda: Streaming([str(tmp_path)], print)
    ]  # fmt: skip
    for begin in begun:
        with pytest.raises(SourceSilent, match="cannot be run: Permission denied"):
            begin()
