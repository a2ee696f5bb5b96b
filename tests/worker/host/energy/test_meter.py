from pathlib import Path

import pytest

from attacca.worker.core.energy.attribution import IdleBy
from attacca.worker.core.energy.ledger import Ledger
from attacca.worker.host.energy.files import Files
from attacca.worker.host.energy.meter import EnergyMeter, by_number
from attacca.worker.host.energy.types import Reading, SourceSilent
from attacca.worker.host.load import TICKS_S
from tests.logged import Logged
from tests.worker.host.energy.test_monitor import Clock, Scripted


def meter(tmp_path: Path, *readings: Reading, accelerators: Scripted | None = None) -> tuple[EnergyMeter, Clock]:
    clock = Clock()
    (tmp_path / "stat").write_text(f"cpu  {3 * TICKS_S} 0 {TICKS_S} 0 0 0 0 0\n")
    source, book = Scripted("ipmi", *readings), Ledger("ipmi", IdleBy.CPU)
    kept = Files(tmp_path / "log")
    return EnergyMeter(source, book, dict, clock, 1.0, accelerators, kept, tmp_path), clock


def done(one: EnergyMeter) -> None:
    assert one._kept is not None
    one._kept.close()


def test_watts_hold_until_others_are_said(tmp_path: Path) -> None:
    one, clock = meter(tmp_path, Reading(watts=100.0), Reading(watts=50.0), Reading(watts=1.0))
    found = []
    for at in (1.0, 3.0, 4.0):
        clock.at = at
        found.append(one.look({}).look)
    assert [look.joules for look in found] == [0.0, 200.0, 250.0]
    assert [look.busy_s for look in found] == [4.0, 4.0, 4.0]
    assert (tmp_path / "log" / "energy-ipmi.log").read_text().count("\n") == 4
    assert repr(one).startswith("<EnergyMeter by ")
    done(one)


def test_who_is_silent_is_heard_of_once(tmp_path: Path, logged: Logged) -> None:
    one, _ = meter(tmp_path)
    for _ in range(2):
        with pytest.raises(SourceSilent) as found:
            one.look({})
        one._complain(one._source, found.value)
    assert logged.messages == ["energy: that was all; try: attacca doctor"]


def test_accelerators_are_shown_and_may_be_silent(tmp_path: Path, logged: Logged) -> None:
    gpus = Scripted("nvidia", Reading(watts=90.0, parts=(("gpu0", 60.0), ("gpu1", 30.0))))
    one, _ = meter(tmp_path, *[Reading(watts=1.0)] * 3, accelerators=gpus)
    assert one.look({}).accelerators_w == (60.0, 30.0)
    assert [one.look({}).accelerators_w for _ in range(2)] == [(), ()]
    assert logged.messages == ["energy: that was all; try: attacca doctor"]
    done(one)


def test_one_accelerator_that_does_not_say_leaves_the_others_their_numbers() -> None:
    assert by_number((("gpu1", 61.0), ("gpu3", 5.0))) == (0.0, 61.0, 0.0, 5.0)
    assert by_number((("gpu9999999", 1.0), ("gpu", 2.0))) == ()


def test_a_machine_that_shows_no_processors_is_silent(tmp_path: Path) -> None:
    one, _ = meter(tmp_path, Reading(watts=1.0))
    (tmp_path / "stat").unlink()
    with pytest.raises(SourceSilent, match="stat cannot be read"):
        one.look({})
