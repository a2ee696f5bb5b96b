"""A seat in either version of cgroups, as far as directories are all that it takes."""

from pathlib import Path

from attacca.worker.host.seat import Seat


def test_a_seat_is_weighed_in_the_numbers_of_its_version(tmp_path: Path) -> None:
    for name, told in (("cpu.shares", "3072"), ("cpu.weight", "300")):
        (tmp_path / name).touch()
        Seat(str(tmp_path)).weigh(3.0)
        assert (tmp_path / name).read_text() == told
        (tmp_path / name).unlink()


def test_who_leaves_goes_back_and_takes_the_group_away(tmp_path: Path) -> None:
    before, group = tmp_path / "before", tmp_path / "group"
    before.mkdir()
    group.mkdir()
    (before / "cgroup.procs").touch()
    seat = Seat(str(group), str(before))
    assert repr(seat) == f"<Seat {group}>"
    seat.leave()
    assert (before / "cgroup.procs").read_text() == "0", "which the kernel takes for whoever writes it"
    assert not group.exists()


def test_a_seat_that_was_there_before_stays(tmp_path: Path) -> None:
    Seat(str(tmp_path)).leave()
    assert tmp_path.exists()
