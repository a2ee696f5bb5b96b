from itertools import count
from pathlib import Path

import pytest

from attacca.lab.steady import TICKS, Machine, look, plain, unevenness

QUIET = Machine(cores=4, foreign=0.05, stolen=0.0, load=0.5, unsteady=0.01)


def test_a_quiet_machine_can_give_a_verdict() -> None:
    assert QUIET.reasons() == []
    assert QUIET.told().startswith("This machine can give a verdict: 4 cores")
    assert plain(QUIET)["can_judge"] is True


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (Machine(cores=4, foreign=1.2, stolen=0.0, load=0.5, unsteady=0.0), "uses 1.20 of its 4 cores"),
        (Machine(cores=4, foreign=0.0, stolen=0.03, load=0.5, unsteady=0.0), "gives 3.0% of its time"),
        (Machine(cores=4, foreign=0.0, stolen=0.0, load=3.0, unsteady=0.0), "is 3.0 on 4 cores"),
        (Machine(cores=4, foreign=0.0, stolen=0.0, load=0.5, unsteady=0.2), "takes 20% longer"),
    ],
)
def test_what_makes_runs_differ_is_named(seen: Machine, why: str) -> None:
    assert len(seen.reasons()) == 1
    assert why in seen.told()
    assert "cannot give a verdict" in seen.told()
    assert plain(seen)["can_judge"] is False


def machine_of(tmp_path: Path, before: list[int], after: list[int], seconds: float) -> Machine:
    """The clock turns over once, and with it what /proc says."""
    (tmp_path / "loadavg").write_text("0.25 0.1 0.1 1/100 1\n")
    (tmp_path / "cpuinfo").write_text("cpu MHz\t: 2000.0\ncpu MHz\t: 3000.0\n")
    (tmp_path / "stat").write_text(f"cpu  {' '.join(map(str, before))}\n")
    turns = count()

    def now() -> float:
        if next(turns) == 0:
            return 0.0
        (tmp_path / "stat").write_text(f"cpu  {' '.join(map(str, after))}\n")
        return seconds

    return look(now, tmp_path)


def test_what_the_system_counts_is_read(tmp_path: Path) -> None:
    """In ten seconds something had one core all the time, and a tenth of the rest was stolen."""
    found = machine_of(tmp_path, [0] * 10, [10 * TICKS, 0, 0, 26 * TICKS, 0, 0, 0, 4 * TICKS, 0, 0], 10.0)
    assert found.foreign == pytest.approx(1.0, abs=0.2)
    assert found.stolen == pytest.approx(0.1)
    assert (found.load, found.mhz) == (0.25, 2500.0)


def test_where_nothing_is_told_nothing_is_made_up(tmp_path: Path) -> None:
    found = look(iter([0.0, 9.0, 9.0]).__next__, tmp_path)
    assert (found.foreign, found.stolen, found.load, found.mhz) == (0.0, 0.0, 0.0, None)


def test_how_even_the_same_work_is() -> None:
    assert unevenness([1.0] * 20) == 0.0
    assert unevenness([1.0] * 16 + [2.0] * 4) == pytest.approx(1.0)
    assert unevenness([1.0, 9.0]) == 0.0
