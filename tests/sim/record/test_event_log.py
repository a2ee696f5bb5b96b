from pathlib import Path

import pytest

from attacca.errors import NotFound
from attacca.sim.engine import Engine
from attacca.sim.record.event_log import EventLog, Reached, What, part


def journal(path: Path | None, *numbers: int, stop_at: int | None = None) -> str:
    kept = EventLog(Engine(), path, stop_at)
    for number in numbers:
        kept.note(What.ARRIVED, 1, number)
    return kept.close()


def test_the_hash_is_of_all_entries_in_their_order() -> None:
    assert journal(None, 1, 2) == journal(None, 1, 2)
    assert len({journal(None, 1, 2), journal(None, 2, 1), journal(None, 1), journal(None)}) == 4


def test_two_runs_part_at_the_first_entry_that_differs(tmp_path: Path) -> None:
    one, other, longer = (tmp_path / name for name in ("one", "other", "longer"))
    journal(one, 1, 2, 3, 4)
    journal(other, 1, 2, 7, 4)
    journal(longer, 1, 2, 3, 4, 5)
    found = part(one, other)
    assert found is not None
    assert found.number == 3
    assert [entry and entry.subject for entry in (*found.before, found.left, found.right)] == ["1", "2", "3", "7"]
    assert part(one, one) is None
    ended = part(one, longer)
    assert ended is not None
    assert (ended.number, ended.left, ended.right and ended.right.number) == (5, None, 5)


def test_it_stops_at_the_entry_it_was_told() -> None:
    kept = EventLog(Engine(), stop_at=2)
    kept.note(What.MAKING, 0, 1)
    with pytest.raises(Reached):
        kept.note(What.READY, 0, 1)
    assert [entry.text().split() for entry in kept.latest(2)] == [
        ["0.000000", "w0-1", "making", "on", "w0"],
        ["0.000000", "w0-1", "ready", "on", "w0"],
    ]


def test_a_run_without_events_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no events"):
        part(tmp_path, tmp_path)
