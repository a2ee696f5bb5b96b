from pathlib import Path

import pytest

from attacca.errors import BadConfig
from attacca.worker.host.energy import files as module
from attacca.worker.host.energy.files import Files, Process, clock_time, timestamp
from attacca.worker.host.energy.types import Reading
from tests.logged import Logged

AT = 1_663_156_440.5  # a moment of 2022


def test_the_original_s_files_have_its_columns(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write("powercap", Reading(joules=1.25), AT)
    files.write("msr", Reading(joules=2.0), AT)
    files.write("ipmi", Reading(watts=220.0), AT)
    files.write("nvidia", Reading(watts=90.0, parts=(("gpu0", 60.0), ("gpu1", 30.0))), AT)
    files.line("perf", "1.0,28.35,Joules,power/energy-pkg/,1,100.00,,\n", AT)
    files.line("tegra", "VDD_IN 1/1", AT)
    files.process(Process(0.125, 3_725.0), AT)
    when = timestamp(AT)
    assert repr(files) == "<Files 6 open, 8 rows>"
    files.close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "energy-rapl.log": f"timestamp,rapl_uj\n{when},1250000\n{when},2000000\n",
        "energy-ipmi.log": f"timestamp,ipmi\n{when},220\n",
        "energy-nvidia.log": f"timestamp,device,watts\n{when},gpu0,60\n{when},gpu1,30\n",
        "energy-perf.log": (tmp_path / "energy-perf.log").read_text(),
        "tegrastats.log": "VDD_IN 1/1\n",
        "process.log": f"timestamp,cpu_pct,cpu_time\n{when},12.5,01:02:05\n",
    }
    perf = (tmp_path / "energy-perf.log").read_text().splitlines()
    assert perf[0].startswith("# started on ")
    assert perf[1:] == ["", "1.0,28.35,Joules,power/energy-pkg/,1,100.00,,"], "its readers skip two lines"


def test_times_are_as_ps_and_the_original_have_them() -> None:
    assert clock_time(0.9) == "00:00:00"
    assert clock_time(90_061.0) == "01-01:01:01"
    assert timestamp(AT)[-7:] == ".500000"


def test_a_file_that_is_full_is_kept_and_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 50)
    files = Files(tmp_path)
    for _ in range(3):
        files.write("ipmi", Reading(watts=220.0), AT)
    files.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["energy-ipmi.log", "energy-ipmi.log.1"]
    assert (tmp_path / "energy-ipmi.log").read_text().startswith("timestamp,ipmi\n")


def test_what_was_written_before_is_kept_beside(tmp_path: Path) -> None:
    for watts in (1.0, 2.0):
        files = Files(tmp_path)
        files.write("ipmi", Reading(watts=watts), AT)
        files.close()
    assert (tmp_path / "energy-ipmi.log.1").read_text().endswith(",1\n")
    assert (tmp_path / "energy-ipmi.log").read_text().endswith(",2\n")


def test_a_disk_that_is_gone_costs_rows_alone(tmp_path: Path, logged: Logged) -> None:
    files = Files(tmp_path / "there")
    (tmp_path / "there").rmdir()
    for _ in range(2):
        files.write("ipmi", Reading(watts=220.0), AT)
    files.close()
    assert logged.messages == [f"energy: {tmp_path}/there cannot be written: No such file or directory"]


def test_where_nothing_can_be_written_it_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadConfig, match="nothing can be written"):
        Files(tmp_path / "file" / "below")
