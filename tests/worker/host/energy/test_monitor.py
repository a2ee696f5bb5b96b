from pathlib import Path

import pytest

from attacca.worker.host.energy import monitor as module
from attacca.worker.host.energy.files import Files, Process
from attacca.worker.host.energy.monitor import Monitor, SoFar, Summary
from attacca.worker.host.energy.processes import ProcessWatch
from attacca.worker.host.energy.types import Reading, SourceSilent
from attacca.worker.host.load import TICKS_S


class Scripted:
    """Says one reading after the other, and then nothing."""

    def __init__(self, name: str, *readings: Reading) -> None:
        self.name, self._readings = name, list(readings)

    def read(self, at: float) -> Reading:
        if not self._readings:
            raise SourceSilent("that was all")
        return self._readings.pop(0)

    def close(self) -> None:
        self._readings.clear()


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    def wall(self) -> float:
        return self.at + 1e9


def processes(proc: Path, ticks: int, busy: int, up_s: float) -> None:
    (proc / "7").mkdir(parents=True, exist_ok=True)
    fields = ["S", *["0"] * 10, str(ticks), *["0"] * 7, str(10 * TICKS_S), "0"]
    (proc / "7" / "stat").write_text(f"7 (a) b) {' '.join(fields)}")
    (proc / "stat").write_text(f"cpu  {busy} 0 0 0 0 0 0 0\n")
    (proc / "uptime").write_text(f"{up_s} 1.0\n")


def test_what_each_source_told_of_comes_to_joules_and_watts(tmp_path: Path) -> None:
    clock = Clock()
    counting = Scripted("powercap", Reading(joules=5.0, parts=(("p", 5.0),)), Reading(joules=25.0))
    taking = Scripted("ipmi", Reading(watts=100.0), Reading(watts=200.0))
    one = Monitor([counting, taking], Files(tmp_path), clock, 1.0)
    for at in (0.0, 2.0, 4.0):
        clock.at = at
        one.read(counting)
        one.read(taking)
    assert repr(one) == "<Monitor 2 sources, 5 rows>"
    assert one.close() == (
        Summary(source="powercap", readings=2, seconds=2.0, joules=20.0, watts=10.0, silent="that was all"),
        Summary(source="ipmi", readings=2, seconds=2.0, joules=200.0, watts=100.0, silent="that was all"),
    )
    assert repr(SoFar()) == "<SoFar 0 readings, 0 J>"


def test_of_two_that_tell_of_the_same_packages_one_is_written_down(tmp_path: Path) -> None:
    sources = Scripted("powercap", Reading(joules=1.0)), Scripted("msr", Reading(joules=7.0))
    one = Monitor(sources, Files(tmp_path), Clock(), 1.0)
    for source in sources:
        one.read(source)
    one.close()
    assert [line.partition(",")[2] for line in (tmp_path / "energy-rapl.log").read_text().splitlines()] == [
        "rapl_uj", "1000000"
    ]  # fmt: skip
    assert [(row.source, row.joules) for row in one.rows] == [("powercap", 1.0), ("msr", 7.0)]


def test_a_table_has_so_many_rows_and_none_where_nobody_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS_MOST", 2)
    for is_table, rows, is_cut in ((True, 2, True), (False, 0, False)):
        taking = Scripted("ipmi", *[Reading(watts=1.0)] * 3)
        one = Monitor([taking], Files(tmp_path), Clock(), 1.0, is_table=is_table)
        for _ in range(3):
            one.read(taking)
        one.close()
        assert (len(one.rows), one.is_cut) == (rows, is_cut)


def test_a_process_has_its_part_of_what_computed(tmp_path: Path) -> None:
    proc, out, clock = tmp_path / "proc", tmp_path / "out", Clock()
    watch = ProcessWatch([7, 8], idle_w=10.0, proc=proc)
    counting = Scripted("msr", Reading(joules=0.0), Reading(joules=50.0))
    one = Monitor([counting], Files(out), clock, 1.0, watch)
    processes(proc, ticks=0, busy=0, up_s=20.0)
    one.read(counting)
    clock.at = 1.0
    processes(proc, ticks=TICKS_S, busy=4 * TICKS_S, up_s=21.0)
    assert watch.look() == {7: Process(1 / 11, 1.0)}, "the other is gone"
    one.read(counting)
    one.close()
    assert watch.joules == {7: 10.0, 8: 0.0}
    assert repr(watch) == "<ProcessWatch 2, 10 J>"
    assert (out / "process.log").read_text().splitlines()[2].endswith(",9.1,00:00:01")
